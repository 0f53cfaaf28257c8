"""Waiting for something to become true, with a deadline, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_SECONDS = 0.05


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Look again and again until it is so; AssertionError with `what` when it isn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(INTERVAL_SECONDS)
