"""What the tests cover, by part of the code: `python -m tests.coverage_table BOUND [--record]`.

Reads what `coverage json` says of the combined data. Fails where all parts together stay below the bound,
in per cent of branches.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.verification import markdown_table, record

SUMS = ("num_statements", "covered_lines", "num_branches", "covered_branches")
COLUMNS = ("part", "statements", "covered", "branches", "covered", "both")


def part_of(path: str) -> str:
    """The folder that a file is reported under, such as `autobot_ops/rdb`."""
    return "/".join(Path(path).parts[:-1][:2])


def sum_by_part(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Sums of coverage's figures by part, by the paths' order."""
    parts: dict[str, Counter[str]] = {}
    for path, file in sorted(files.items()):
        parts.setdefault(part_of(path), Counter()).update({name: file["summary"][name] for name in SUMS})
    return parts


def percentage(covered: int, number: int) -> float:
    """Of nothing, everything is covered."""
    return 100 * covered / number if number else 100.0


def both(sums: Counter[str]) -> float:
    """Statements and branches together, as coverage.py's total."""
    return percentage(
        sums["covered_lines"] + sums["covered_branches"], sums["num_statements"] + sums["num_branches"]
    )


def render_parts(parts: Mapping[str, Counter[str]]) -> str:
    """A row for each part, and their sum."""
    rows = [*parts.items(), ("all", sum(parts.values(), Counter()))]
    return markdown_table(COLUMNS, [row_of(name, sums) for name, sums in rows])


def row_of(name: str, sums: Counter[str]) -> tuple[str, ...]:
    """One line of the table."""
    return (
        f"`{name}`" if "/" in name else name,
        str(sums["num_statements"]),
        f"{percentage(sums['covered_lines'], sums['num_statements']):.1f} %",
        str(sums["num_branches"]),
        f"{percentage(sums['covered_branches'], sums['num_branches']):.1f} %",
        f"{both(sums):.1f} %",
    )


def main() -> None:
    """Print, fail below the bound, record if asked."""
    bound = float(sys.argv[1])
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    document = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    parts = sum_by_part(document["files"])
    table = render_parts(parts)
    print(table)  # noqa: T201 - it is a program
    sums = sum(parts.values(), Counter())
    reached = percentage(sums["covered_branches"], sums["num_branches"])
    if reached < bound:
        sys.exit(f"{reached:.2f} % of branches are covered, the bound is {bound:g} %")
    if "--record" in sys.argv:
        record("coverage", table)


if __name__ == "__main__":
    main()
