"""What became of each obligation in a session: counted as tests end, rendered as a table.

Pure: it knows test ids, marks and outcomes, and prints nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from tests.integration.obligations import OBLIGATIONS

MARK = "obligation"
NOT_RUN = "not run"


def numbers_of(item: pytest.Item) -> list[int]:
    """The obligations that a test is, by its marks."""
    return [int(number) for mark in item.iter_markers(MARK) for number in mark.args]


@dataclass
class Results:
    """Outcomes by test; `tests` are the ids that each obligation has in this session."""

    tests: dict[int, list[str]]
    outcomes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[pytest.Item]) -> Results:
        """Nothing has run yet."""
        tests: dict[int, list[str]] = {}
        for item in items:
            for number in numbers_of(item):
                tests.setdefault(number, []).append(item.nodeid)
        return cls(tests)

    def count(self, test: str, outcome: str, when: str | None) -> None:
        """Take in one phase of a test: it has passed when its call has, and nothing has failed."""
        if outcome == "failed":
            self.outcomes[test] = "failed" if when == "call" else f"error in {when}"
        elif when == "call":
            self.outcomes.setdefault(test, outcome)

    def of_obligation(self, number: int) -> str:
        """The outcomes of an obligation's tests, counted; `passed` where that is all there is to say."""
        outcomes = Counter(self.outcomes.get(test, NOT_RUN) for test in self.tests[number])
        if set(outcomes) == {"passed"}:
            return "passed"
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))


def render_report(results: Results) -> list[str]:
    """One line for each obligation with tests in this session, one that names the others; or nothing."""
    if not results.tests:
        return []
    width = max(map(len, OBLIGATIONS.values()))
    lines = [
        f"{number:>2}  {OBLIGATIONS[number]:<{width}}  {_counted(len(results.tests[number])):>9}  "
        f"{results.of_obligation(number)}"
        for number in sorted(results.tests)
    ]
    others = [str(number) for number in OBLIGATIONS if number not in results.tests]
    if others:
        lines.append(f"without a test in this session: {', '.join(others)}")
    return lines


def _counted(tests: int) -> str:
    return f"{tests} test" + "s" * (tests != 1)
