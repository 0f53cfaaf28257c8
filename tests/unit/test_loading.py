"""Preparation in the background is tried until it succeeds."""

from __future__ import annotations

import threading

from src.agents.loading import BackgroundLoad

WAIT_SECONDS = 10.0


def test_a_failure_is_told_and_tried_again() -> None:
    failed, go_on, states = threading.Event(), threading.Event(), []

    def load() -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("not yet")
        # The second attempt: what was told about the first is still to be seen.
        states.append((loading.state, loading.error))
        go_on.wait(WAIT_SECONDS)

    loading = BackgroundLoad(load, first_pause=0.01)
    assert loading.state == "loading"
    loading.start()
    assert failed.wait(WAIT_SECONDS)
    go_on.set()
    loading.join(WAIT_SECONDS)
    assert states == [("failed", "OSError: not yet")]
    assert loading.ready
    assert loading.error is None


def test_after_a_stop_there_is_no_further_attempt() -> None:
    attempts = threading.Semaphore(0)

    def load() -> None:
        attempts.release()
        raise OSError

    loading = BackgroundLoad(load, first_pause=60)
    loading.start()
    assert attempts.acquire(timeout=WAIT_SECONDS)
    loading.stop()
    loading.join(WAIT_SECONDS)
    assert loading.state == "stopped"
    assert not attempts.acquire(blocking=False)
