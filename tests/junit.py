"""What pytest's exit status and its JUnit reports say."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

TESTS_FAILED = 1


class TestsDidNotRun(RuntimeError):
    """pytest neither passed nor failed: no test was found, the command is wrong, or somebody ended it."""

    __test__ = False


@dataclass(frozen=True)
class Report:
    """One run of tests. `failed` names those that failed, then those that failed in a fixture."""

    tests: int
    skipped: int
    failed: tuple[str, ...]


def parse_report(document: str) -> Report:
    """The run that a report is of."""
    cases = list(ElementTree.fromstring(document).iter("testcase"))  # noqa: S314 - pytest wrote it just now
    failed = dict.fromkeys(case.attrib["name"] for case in cases if case.find("failure") is not None)
    unready = dict.fromkeys(case.attrib["name"] for case in cases if case.find("error") is not None)
    # A test that fails and whose fixture fails too has two cases.
    return Report(
        tests=len({(case.attrib["classname"], case.attrib["name"]) for case in cases}),
        skipped=sum(case.find("skipped") is not None for case in cases),
        failed=(*failed, *(f"set-up of {name}" for name in unready if name not in failed)),
    )
