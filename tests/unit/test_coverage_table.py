"""The table of coverage sums figures by part of the code."""

from __future__ import annotations

import pytest

from tests.coverage_table import both, part_of, percentage, render_parts, sum_by_part


def figures(*numbers: int) -> dict[str, dict[str, int]]:
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(names, numbers, strict=True))}


FILES = {
    "autobot_ops/rdb/reader.py": figures(10, 10, 4, 4),
    "autobot_ops/rdb/splitter.py": figures(10, 5, 4, 0),
    "autobot_ops/journal.py": figures(2, 1, 0, 0),
}


@pytest.mark.parametrize(
    ("path", "part"),
    [("autobot_ops/journal.py", "autobot_ops"), ("src/agents/deep/x.py", "src/agents")],
)
def test_a_part_is_a_folder(path: str, part: str) -> None:
    assert part_of(path) == part


def test_sums_by_part_and_counts_both_together() -> None:
    parts = sum_by_part(FILES)
    assert list(parts) == ["autobot_ops", "autobot_ops/rdb"]
    assert both(parts["autobot_ops/rdb"]) == pytest.approx(100 * 19 / 28)
    assert percentage(0, 0) == 100
    assert render_parts(parts).splitlines()[3:] == [
        "| `autobot_ops/rdb` | 20 | 75.0 % | 8 | 50.0 % | 67.9 % |",
        "| all | 22 | 72.7 % | 8 | 50.0 % | 66.7 % |",
    ]
