"""A pytest plugin for `nox -s mutation`: the quickest tests run first, since the first that fails ends a run.

Durations are what mutmut measured before it tried any mutant, in the folder in which it runs the tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

STATS = Path("mutmut-stats.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by duration; as they come where nothing was measured yet."""
    if STATS.exists():
        durations = json.loads(STATS.read_text())["duration_by_test"]
        items.sort(key=lambda item: durations.get(item.nodeid, 0))
