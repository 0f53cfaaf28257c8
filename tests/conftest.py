"""What every kind of test shares."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the sessions on live containers."""
    parser.addoption("--record", action="store_true", help="write the tables into docs/verification.md")
    parser.addoption("--against", metavar="PROJECT", help="look at a stack that runs already; change nothing")
    parser.addoption("--reuse", metavar="PROJECT", help="change that stack as if it were the session's own")
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


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Show what tests recorded about themselves: what ran, how much of it, and what could not."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    lines = [f"{name}: {value}" for report in reports for name, value in report.user_properties]
    if lines:
        terminalreporter.section("recorded by the tests")
        terminalreporter.write_line("\n".join(lines))
