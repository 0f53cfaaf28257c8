"""A pytest plugin for `nox -s mutation`, where the first test that fails ends the run of a mutant.

The quickest tests come first, and an endless loop ends after a few seconds of CPU time, however busy the
machine is. Durations are what mutmut measured before it tried any mutant, in the folder in which it runs the
tests.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

STATS = Path("mutmut-stats.json")
TIMED_OUT = 36
"""The status by which mutmut knows a mutant whose time was up."""
SECONDS, TIMES = 5, 20
"""What a test may take: so many seconds, and so many times what it took without a mutant."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by duration, and watch the tests; neither where nothing was measured yet."""
    if STATS.exists():
        durations = json.loads(STATS.read_text())["duration_by_test"]
        items.sort(key=lambda item: durations.get(item.nodeid, 0))
        config.pluginmanager.register(Watch(durations))


class Watch:
    """Ends the process when a test takes far longer than it should."""

    def __init__(self, durations: dict[str, float]) -> None:
        self._durations = durations
        signal.signal(signal.SIGVTALRM, _give_up)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """From here on the test's time runs, until the next one's does."""
        allowed = SECONDS + TIMES * self._durations.get(item.nodeid, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, allowed)

    def pytest_sessionfinish(self) -> None:
        """No test is running any more."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _give_up(*_: object) -> NoReturn:
    # Not an exception: a mutant could catch it.
    os._exit(TIMED_OUT)
