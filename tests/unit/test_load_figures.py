"""The figures of the load test: percentiles, memory in use, growth."""

from __future__ import annotations

import pytest

from tests.load.memory import Sample, slope, used_bytes
from tests.load.traffic import percentile


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_growth_is_found_and_one_jump_is_not_taken_for_it() -> None:
    steady = [Sample(float(at), 1000) for at in range(60)]
    growing = [Sample(float(at), 1000 + 50 * at) for at in range(60)]
    jumping = [Sample(float(at), 900_000 if at == 30 else 1000) for at in range(60)]
    assert slope(steady) == 0
    assert slope(growing) == pytest.approx(3000)
    assert slope(jumping) == 0
    with pytest.raises(ValueError, match="two samples"):
        slope(steady[:1])


@pytest.mark.parametrize("name", ["inactive_file", "total_inactive_file"])
def test_memory_in_use_leaves_out_the_cache_that_can_be_dropped(name: str) -> None:
    assert used_bytes({"memory_stats": {"usage": 1000, "stats": {name: 400}}}) == 600
