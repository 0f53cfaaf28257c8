"""What every kind of test shares."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import settings

KEPT = pytest.StashKey[str]()
"""The command that removes a stack which the session left running."""

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no wrong result: tests assert no seconds, and neither does Hypothesis here.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that write what a person then looks at and commits."""
    parser.addoption("--record", action="store_true", help="write the tables into docs/verification.md")
    parser.addoption("--rewrite-golden", action="store_true", help="golden files become what is there now")
    parser.addoption("--against", metavar="PROJECT", help="look at a stack that runs already; change nothing")
    parser.addoption("--reuse", metavar="PROJECT", help="change that stack as if it were the session's own")
    parser.addoption(
        "--obligation", type=int, action="append", metavar="N", help="only tests of this obligation"
    )
    parser.addoption("--keep", action="store_true", help="leave the session's own stack running")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a copy of the project's configuration, to be spoilt."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Show what tests recorded about themselves, and how to get rid of a stack that was kept."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    lines = [f"{name}: {value}" for report in reports for name, value in report.user_properties]
    if lines:
        terminalreporter.section("recorded by the tests")
        terminalreporter.write_line("\n".join(lines))
    if (command := config.stash.get(KEPT, None)) is not None:
        terminalreporter.section("the stack was kept")
        terminalreporter.write_line(f"to remove it: {command}")
