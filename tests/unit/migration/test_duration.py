"""How long a plan says that a migration takes, beside what was measured."""

from __future__ import annotations

import pytest

from autobot_ops.migration.duration import MOVES_PER_SECOND, START_SECONDS, moving_seconds, reading_seconds
from autobot_ops.migration.plan import Part
from tests.unit.migration.test_remarks import plan_of

# Of docs/operations/migration.md: keys to move, keys that stay, bytes of the stream, seconds measured.
MEASURED = [
    pytest.param(874, 126, 140_554, 0.3, 0.2, id="1 k"),
    pytest.param(878, 122, 32_330_974, 1.7, 1.3, id="1 k and four huge ones"),
    pytest.param(86_966, 13_034, 14_431_945, 1.9, 0.7, id="100 k"),
    pytest.param(86_970, 13_030, 46_622_365, 4.0, 1.7, id="100 k and four huge ones"),
    pytest.param(869_901, 130_099, 145_075_463, 12.7, 8.2, id="1 M"),
    pytest.param(869_905, 130_095, 177_265_883, 13.5, 7.8, id="1 M and four huge ones"),
]


@pytest.mark.parametrize(("keys", "stays", "size", "reading", "moving"), MEASURED)
def test_expects_what_was_measured_at_every_size(
    keys: int, stays: int, size: int, reading: float, moving: float
) -> None:
    """Within half and one and a half, or half a second."""
    plan = plan_of(keys, stays, size)
    assert reading_seconds(plan) == pytest.approx(reading, rel=0.5, abs=0.5)
    assert moving_seconds(plan) == pytest.approx(moving, rel=0.5, abs=0.5)


@pytest.mark.parametrize("keys", [1000, 100_000, 1_000_000])
def test_a_rate_bounds_the_moving_and_nothing_else(keys: int) -> None:
    plan = plan_of(keys, 400_000, 30_000_000)
    assert moving_seconds(plan, 500) == pytest.approx(keys / 500 + 1 + 1)


def test_a_rate_beyond_what_can_be_makes_nothing_quicker() -> None:
    plan = plan_of(MOVES_PER_SECOND)
    assert moving_seconds(plan, 10 * MOVES_PER_SECOND) == moving_seconds(plan) == 1


def test_other_databases_are_read_too() -> None:
    alone = plan_of(1000)
    plan = alone.model_copy(update={"before": {3: Part(keys=190_000), 4: Part(keys=190_000)}})
    assert reading_seconds(plan) - reading_seconds(alone) == pytest.approx(2)


def test_a_plan_without_a_stream_verifies_none() -> None:
    plan = plan_of(1000).model_copy(update={"origin": "scan", "stays": Part(keys=800_000)})
    assert moving_seconds(plan) == pytest.approx(2, abs=0.01)


def test_a_stream_without_keys_takes_its_start() -> None:
    assert reading_seconds(plan_of(0)) == START_SECONDS
