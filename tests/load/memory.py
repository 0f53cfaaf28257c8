"""The memory of containers over time, and whether it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

SAMPLE_SECONDS = 3.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Seconds since the watch began, and bytes in use without the page cache that can be dropped."""

    at: float
    used: int


@contextmanager
def watched_memory(containers: Sequence[Container]) -> Iterator[dict[str, list[Sample]]]:
    """Samples by container's name, taken every few seconds until the block ends."""
    samples: dict[str, list[Sample]] = {str(each.name): [] for each in containers}
    over, began = threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.is_set():
            for each in containers:
                used = used_bytes(_stats(each))
                samples[str(each.name)].append(Sample(time.monotonic() - began, used))
            over.wait(SAMPLE_SECONDS)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def used_bytes(document: Mapping[str, Any]) -> int:
    """What `docker stats` shows: usage without the inactive page cache (cgroup v2, else v1). Pure."""
    memory = document["memory_stats"]
    details = memory["stats"]
    cache = int(details.get("inactive_file", details.get("total_inactive_file", 0)))
    return max(0, int(memory["usage"]) - cache)


def _stats(container: Container) -> Mapping[str, Any]:
    # The figures of now; the engine would otherwise wait a second to have two.
    document = container.stats(stream=False, one_shot=True)
    assert isinstance(document, dict)
    return document


def slope(samples: Sequence[Sample]) -> float:
    """Bytes per minute: the median of the slopes between all pairs of samples (Theil and Sen). Pure.

    One jump, such as a garbage collection, moves it little. Raises ValueError for less than two samples.
    """
    slopes = sorted(
        (later.used - earlier.used) / (later.at - earlier.at) * 60
        for place, earlier in enumerate(samples)
        for later in samples[place + 1 :]
        if later.at > earlier.at
    )
    if not slopes:
        raise ValueError("it takes two samples to see growth")
    return slopes[len(slopes) // 2]
