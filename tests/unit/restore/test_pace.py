"""The window follows the others' latency, within its limits."""

from __future__ import annotations

from autobot_ops.restore.pace import LEAST_BYTES, MOST_BYTES, Pace


def test_halves_when_others_wait_and_grows_when_they_do_not() -> None:
    pace = Pace(64 * 1024)
    pace.observe(0.004)
    assert pace.window_bytes == 32 * 1024
    pace.observe(0.002)
    assert pace.window_bytes == 32 * 1024
    pace.observe(0.001)
    assert pace.window_bytes > 32 * 1024


def test_stays_within_its_limits() -> None:
    pace = Pace(64 * 1024)
    for _ in range(100):
        pace.observe(0.1)
    assert pace.window_bytes == LEAST_BYTES
    assert 0 < pace.batch_bytes <= LEAST_BYTES
    for _ in range(100):
        pace.observe(0.0001)
    assert pace.window_bytes == MOST_BYTES


def test_a_fixed_window_follows_nobody() -> None:
    pace = Pace(MOST_BYTES, adaptive=False)
    pace.observe(1.0)
    assert pace.window_bytes == MOST_BYTES
