"""Run a folder of tests again and again, each time in a process of its own, and keep what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.junit import TESTS_FAILED, Report, TestsDidNotRun, parse_report

FOLDER = ROOT / "build" / "flakes"
COLUMNS = ("run", "tests", "failed", "minutes", "load before")


@dataclass(frozen=True)
class Run:
    """One run. `load` is the machine's load average over the minute before it began."""

    report: Report
    seconds: float
    load: float

    @property
    def holds(self) -> bool:
        """Whether every test ran and passed."""
        return not self.report.failed and not self.report.skipped

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The run as a line of the table, without its number."""
        skipped = f", {self.report.skipped} skipped" if self.report.skipped else ""
        minutes, seconds = divmod(round(self.seconds), 60)
        failed = ", ".join(f"`{name}`" for name in self.report.failed)
        return (
            f"{self.report.tests}{skipped}",
            failed or "none",
            f"{minutes}:{seconds:02}",
            f"{self.load:.1f}",
        )


def runs_in_a_row(folder: str, times: int, options: Sequence[str]) -> Iterator[Run]:
    """Each run of tests/`folder` as it ends; its output is in build/flakes. Raises TestsDidNotRun."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number in range(1, times + 1):
        yield _run(folder, FOLDER / f"{folder}-{number}", options)


def summary(runs: Sequence[Run]) -> str:
    """How many held."""
    return f"{sum(run.holds for run in runs)} of {len(runs)} runs without a failure."


def _run(folder: str, kept: Path, options: Sequence[str]) -> Run:
    output, report = kept.with_suffix(".log"), kept.with_suffix(".xml")
    report.unlink(missing_ok=True)
    load, began = os.getloadavg()[0], time.monotonic()
    with output.open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", f"tests/{folder}", "-v", f"--junitxml={report}", *options],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if done.returncode not in {0, TESTS_FAILED}:
        raise TestsDidNotRun(f"pytest ended with {done.returncode}, see {output.relative_to(ROOT)}")
    return Run(parse_report(report.read_text(encoding="utf-8")), time.monotonic() - began, load)
