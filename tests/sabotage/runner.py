"""Apply, run the tests that must fail, mend, run them again: one sabotage after the other on one stack.

Tests run in a process of their own, as they would for a person, on the stack that the runner made.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import docker.errors

from tests.conftest import ROOT
from tests.integration.live import Stack
from tests.junit import TESTS_FAILED, TestsDidNotRun, parse_report
from tests.sabotage.model import Sabotage

Say = Callable[[str], None]

SECONDS = 600
NOT_APPLIED = (LookupError, RuntimeError, AssertionError, docker.errors.APIError)
"""What an act raises where a text isn't there any more, or a program that spoils the stack fails."""
COLUMNS = ("obligation", "sabotage", "caught by", "passes when mended")


@dataclass(frozen=True)
class Verdict:
    """What the tests of one obligation said to one sabotage."""

    obligation: int
    what: str
    caught_by: tuple[str, ...]
    still_failing: tuple[str, ...]
    not_applied: str = ""
    """Why the stack could not be spoilt, if so."""

    @property
    def holds(self) -> bool:
        """Whether the sabotage was noticed, and nothing but the sabotage."""
        return bool(self.caught_by) and not self.still_failing

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The verdict as a line of the table."""
        if self.not_applied:
            caught = f"**not applied**: {self.not_applied}"
        elif not self.caught_by:
            caught = "**nobody**"
        else:
            others = len(self.caught_by) - 1
            caught = f"`{self.caught_by[0]}`" + (f" and {others} more" if others else "")
        mended = "yes" if not self.still_failing else f"**no**: `{self.still_failing[0]}`"
        return (str(self.obligation), self.what, caught, mended)


def try_all(stack: Stack, sabotages: Iterable[Sabotage], say: Say) -> list[Verdict]:
    """The verdicts, in order. What was applied is mended before anything is raised."""
    return [verdict for sabotage in sabotages for verdict in _try(stack, sabotage, say)]


def _try(stack: Stack, sabotage: Sabotage, say: Say) -> list[Verdict]:
    say(sabotage.what)
    caught: dict[int, tuple[str, ...]] = {}
    not_applied = ""
    try:
        sabotage.apply(stack)
    except NOT_APPLIED as error:
        # One that fits the sources no more is a row of the table, not the end of the others.
        not_applied = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        for number in () if not_applied else sabotage.obligations:
            caught[number] = failing_tests(stack, number, sabotage.only)
    finally:
        # An edit that was never made can't be unmade either; the tests below say whether all is well.
        with suppress(*NOT_APPLIED) if not_applied else nullcontext():
            sabotage.mend(stack)
    verdicts = [
        Verdict(
            number,
            sabotage.what,
            caught.get(number, ()),
            failing_tests(stack, number, sabotage.only),
            not_applied,
        )
        for number in sabotage.obligations
    ]
    for verdict in verdicts:
        say(f"  {verdict.obligation}: {'caught and mended' if verdict.holds else 'NOT AS IT SHOULD BE'}")
    return verdicts


def failing_tests(stack: Stack, number: int, only: str) -> tuple[str, ...]:
    """Names of an obligation's tests that fail on the stack as it is now. Raises TestsDidNotRun."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "tests/integration", "-q", "--tb=short"),
                *("--reuse", stack.project, "--obligation", str(number), f"--junitxml={report}"),
                *(("-k", only) if only else ()),
            ],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode not in {0, TESTS_FAILED}:
            raise TestsDidNotRun(f"obligation {number}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return parse_report(report.read_text(encoding="utf-8")).failed
