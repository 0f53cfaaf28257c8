"""`nox -s flakes`: run tests in a row, and name what fails in one of the runs."""

from __future__ import annotations

import argparse
import sys

from tests.flakes.series import COLUMNS, runs_in_a_row, summary
from tests.junit import TestsDidNotRun
from tests.verification import markdown_table, record


def main(arguments: list[str]) -> int:
    """Exit status 0 when every run was without a failure, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="nox -s flakes --", description=__doc__)
    parser.add_argument("folder", nargs="?", default="integration", choices=("integration", "component"))
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--record", action="store_true", help="write the table into docs/verification.md")
    options, of_pytest = parser.parse_known_args(arguments)
    runs, rows = [], []
    try:
        for number, run in enumerate(runs_in_a_row(options.folder, options.times, of_pytest), start=1):
            runs.append(run)
            rows.append((str(number), *run.cells))
            _say(" · ".join(rows[-1]))
    except TestsDidNotRun as error:
        _say(f"error: {error}")
        return 1
    table = f"{markdown_table(COLUMNS, rows)}\n\n{summary(runs)}"
    _say(table)
    if options.record:
        record(f"flakes {options.folder}", table)
    return 0 if all(run.holds for run in runs) else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
