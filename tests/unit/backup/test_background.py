"""Background work gives way, and ends with its caller."""

from __future__ import annotations

import os
import threading

import pytest

from autobot_ops.backup.background import NICENESS, in_background
from autobot_ops.backup.places import Watch


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_gives_way_and_changes_nobody_else() -> None:
    before = niceness()
    assert in_background(lambda _: niceness()) == max(before, NICENESS)
    assert niceness() == before


def test_an_error_reaches_the_caller() -> None:
    def fail(_: Watch) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        in_background(fail)


def test_ends_when_the_caller_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    def work(watch: Watch) -> None:
        try:
            while True:
                watch(1)
        finally:
            ended.set()

    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        in_background(work)
    assert ended.is_set()
