"""Under a steady load nothing fails, nobody falls behind, and no container's memory grows."""

from __future__ import annotations

from tests.load.conftest import Measured
from tests.load.memory import MIB, slope
from tests.load.traffic import percentile

# Growth that would fill the smallest container's limit in more than two hours counts as none: allocators and
# caches of a young process still settle.
MOST_GROWTH_MIB_PER_MINUTE = 4.0
LEAST_ANSWERED = 0.98
# An obligation, not a benchmark: what the table shows is far below on a machine that does nothing else.
MOST_P99_SECONDS = 5.0


def test_no_request_fails(measured: Measured) -> None:
    errors = {name: each.errors[:3] for name, each in measured.answers.items() if each.errors}
    assert not errors
    assert all(each.seconds for each in measured.answers.values())


def test_every_endpoint_keeps_up_with_its_rate(measured: Measured) -> None:
    behind = {
        name: len(each.seconds)
        for name, each in measured.answers.items()
        if len(each.seconds) < LEAST_ANSWERED * int(measured.rates[name] * measured.seconds)
    }
    assert not behind


def test_nobody_waits_long(measured: Measured) -> None:
    slow = {
        name: seconds
        for name, each in measured.answers.items()
        if (seconds := percentile(each.seconds, 99)) > MOST_P99_SECONDS
    }
    assert not slow


def test_no_containers_memory_grows(measured: Measured) -> None:
    growing = {
        name: growth
        for name, samples in measured.memory.items()
        if (growth := slope(samples) / MIB) > MOST_GROWTH_MIB_PER_MINUTE
    }
    assert not growing


def test_every_container_was_watched(measured: Measured) -> None:
    assert len(measured.memory) == len(measured.limits)
    assert all(len(samples) >= 2 for samples in measured.memory.values())
