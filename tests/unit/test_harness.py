"""The benchmark harness: interleaving, summary, goals, and both forms of the result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.harness import Arm, Goal, Report, measure, publish


def test_arms_take_turns_and_the_warmup_does_not_count() -> None:
    order: list[str] = []

    def arm(name: str) -> Arm:
        def run() -> dict[str, float]:
            order.append(name)
            return {"size [bytes]": float(len(order))}

        return Arm(name, run)

    rows = measure([arm("a"), arm("b")], rounds=3, warmup=1)
    assert "".join(order) == "baabbaab"
    first = next(row for row in rows if row.arm == "a")
    assert (first.metric, first.unit, first.runs) == ("size", "bytes", 3)
    assert (first.min, first.median, first.max) == (3.0, 6.0, 7.0)


@pytest.mark.parametrize(
    ("at_most", "value", "holds"),
    [(True, 1.0, True), (True, 1.1, False), (False, 1.0, True), (False, 0.9, False)],
)
def test_a_goal_holds_on_its_good_side_and_on_the_limit(at_most: bool, value: float, holds: bool) -> None:
    assert Goal("g", value, 1.0, at_most).holds is holds


def test_publishes_json_and_markdown_and_fails_on_a_missed_goal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    rows = [harness.row("ours", "wall [s]", [3.0, 1.0, 2.0]), harness.row("theirs", "wall [s]", [4.0])]
    report = Report(name="sample", data="two arms", rows=rows)
    report.goals = [Goal("half the time", report.ratio("ours", "theirs", "wall"), 0.4)]
    with pytest.raises(SystemExit) as ended:
        publish(report)
    assert ended.value.code == 1
    document = json.loads((tmp_path / "sample.json").read_text())
    assert document["rows"][0] == {
        "arm": "ours", "metric": "wall", "unit": "s", "median": 2.0, "min": 1.0, "max": 3.0, "runs": 3,
    }  # fmt: skip
    assert document["goals"][0]["holds"] is False
    assert set(document) >= {"name", "date", "machine", "versions", "data"}
    markdown = (tmp_path / "sample.md").read_text()
    assert "| ours | wall [s] | 2 | 1 | 3 | 3 |" in markdown
    assert "| half the time | 0.5 | ≤ 0.4 | **no** |" in markdown
