"""Runs in a row: what a report says, and the table that they become."""

from __future__ import annotations

import pytest

from tests.flakes.series import COLUMNS, Run, summary
from tests.junit import Report, parse_report

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="2" failures="1" tests="5">
<testcase classname="test_up" name="test_fails[chat]"><failure message="no">no</failure></testcase>
<testcase classname="test_up" name="test_passes" />
<testcase classname="test_up" name="test_has_no_fixture"><error message="x">x</error></testcase>
<testcase classname="test_up" name="test_fails[chat]"><error message="x">x</error></testcase>
<testcase classname="test_up" name="test_is_skipped"><skipped message="x">x</skipped></testcase>
</testsuite></testsuites>"""


def test_a_test_that_fails_or_has_no_fixture_counts_once() -> None:
    found = parse_report(REPORT)
    assert found.failed == ("test_fails[chat]", "set-up of test_has_no_fixture")
    assert (found.tests, found.skipped) == (4, 1)


def run(*failed: str, seconds: float = 61.0, skipped: int = 0) -> Run:
    return Run(Report(tests=890, skipped=skipped, failed=failed), seconds, load=0.25)


def test_a_run_is_a_line_with_its_time_and_what_failed() -> None:
    assert len(run().cells) == len(COLUMNS) - 1
    assert run(seconds=344.6).cells == ("890", "none", "5:45", "0.2")
    assert run("test_a", "test_b").cells[1] == "`test_a`, `test_b`"


def test_skipped_tests_are_no_run_without_failure() -> None:
    assert run().holds
    assert not run("test_a").holds
    assert not run(skipped=1).holds
    assert run(skipped=1).cells[0] == "890, 1 skipped"


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([run(), run()], "2 of 2 runs without a failure."),
        ([run(), run("test_a")], "1 of 2 runs without a failure."),
    ],
)
def test_the_summary_counts_runs_that_hold(runs: list[Run], said: str) -> None:
    assert summary(runs) == said
