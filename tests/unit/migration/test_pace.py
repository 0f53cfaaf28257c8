"""Pace: windows shrink when others wait, and grow when they don't."""

from __future__ import annotations

import pytest

from autobot_ops.migration.pace import LEAST_UNITS, MOST_UNITS, QUICK_SECONDS, SLOW_SECONDS, Pace


def test_a_slow_answer_halves_the_window_down_to_the_least() -> None:
    pace = Pace()
    pace.observe(SLOW_SECONDS * 2)
    assert pace.units == MOST_UNITS // 2
    pace.observe(SLOW_SECONDS * 2)
    assert pace.units == LEAST_UNITS
    assert pace.in_flight == 2


def test_a_slow_answer_at_the_least_leaves_one_window_under_way() -> None:
    pace = Pace(units=LEAST_UNITS)
    pace.observe(SLOW_SECONDS * 2)
    assert (pace.units, pace.in_flight) == (LEAST_UNITS, 1)


def test_quick_answers_grow_it_again() -> None:
    pace = Pace(units=LEAST_UNITS, in_flight=1)
    for _ in range(100):
        pace.observe(QUICK_SECONDS / 2)
    assert (pace.units, pace.in_flight) == (MOST_UNITS, 2)


def test_what_is_neither_changes_nothing() -> None:
    pace = Pace(units=LEAST_UNITS)
    pace.observe((SLOW_SECONDS + QUICK_SECONDS) / 2)
    assert pace.units == LEAST_UNITS


@pytest.mark.parametrize(
    ("rate", "moved", "seconds", "wait"), [(None, 1000, 0.0, 0.0), (100, 50, 0.1, 0.4), (100, 5, 1.0, 0.0)]
)
def test_waits_as_the_highest_rate_says(rate: float | None, moved: int, seconds: float, wait: float) -> None:
    assert Pace(rate).ahead(moved, seconds) == pytest.approx(wait)


def test_percentiles_of_what_others_waited() -> None:
    pace = Pace()
    for each in range(100):
        pace.observe(each / 1000)
    assert pace.percentile(0.99) == pytest.approx(0.099)
    assert Pace().percentile(0.99) == 0.0
