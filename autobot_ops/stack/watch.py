"""Wait until services are healthy, and stop at the first certain failure.

`judge` is pure. The waiting polls, because it must notice what never happens as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum

from autobot_ops.stack.health import ContainerState

POLL_SECONDS = 0.3
CERTAIN_RESTARTS = 2
"""A service that ends a third time while it is watched won't come up by itself."""

_CERTAIN_PROBES = re.compile(r"WRONGPASS|NOPERM|executable file not found")
"""NOAUTH is none: Redis says it until it has read its users, on a busy machine for long enough to be seen."""
_CERTAIN_EXIT_CODES = {2, 126, 127}
"""Wrong configuration in our entrypoints' words, and what can't be executed: waiting mends neither."""

Observe = Callable[[], Mapping[str, ContainerState]]
OnChange = Callable[[str, str, float], None]
"""Called with service, state in a word, and seconds since the waiting began."""


class Verdict(Enum):
    """What one look at a service says."""

    WAITING = "waiting"
    WELL = "well"
    FAILED = "failed"


class Failure(Exception):
    """A service failed for certain, or isn't healthy in time. Not for users: `up` makes a diagnosis of it."""

    def __init__(self, service: str, state: ContainerState | None) -> None:
        super().__init__(service)
        self.service, self.state = service, state


def judge(now: ContainerState | None, first: ContainerState | None, since: datetime | None = None) -> Verdict:
    """What the state means. `first` is the state when the watching began, None if there was none.

    A failure from before is history until a probe that began after `since` says the same.
    """
    if now is None:
        return Verdict.WAITING
    same_container = first is not None and first.id == now.id
    # A start by hand sets the engine's count back to 0.
    before = first.restarts if first and same_container and first.restarts <= now.restarts else 0
    if now.error or now.status in {"exited", "dead"}:
        return Verdict.FAILED
    # Judged between two runs only, when the engine knows how the last one ended; the pauses grow.
    if now.status == "restarting" and (
        now.restarts - before >= CERTAIN_RESTARTS or now.out_of_memory or now.exit_code in _CERTAIN_EXIT_CODES
    ):
        return Verdict.FAILED
    if now.is_well:
        return Verdict.WELL
    probe = now.last_probe
    if probe and probe.exit_code:
        stale = same_container and since is not None and probe.began is not None and probe.began <= since
        if not stale and (now.health == "unhealthy" or _CERTAIN_PROBES.search(probe.output)):
            return Verdict.FAILED
    return Verdict.WAITING


def latest_probe(states: Mapping[str, ContainerState]) -> datetime | None:
    """When the newest health check of any of them ended: what the engine's clock showed, or a little less."""
    ends = [state.last_probe.ended for state in states.values() if state.last_probe]
    return max((end for end in ends if end is not None), default=None)


def wait_until_well(
    observe: Observe,
    services: Iterable[str],
    *,
    seconds: float,
    first: Mapping[str, ContainerState],
    on_change: OnChange,
) -> dict[str, float]:
    """Seconds that each service took from now on.

    Raises Failure at the first certain one, or when `seconds` are over.
    """
    began = time.monotonic()
    took: dict[str, float] = {}
    words: dict[str, str] = {}
    since = latest_probe(first)
    names = list(services)
    while True:
        states = observe()
        elapsed = time.monotonic() - began
        for name in names:
            state = states.get(name)
            word = state.word if state else "waiting"
            if words.get(name) != word:
                words[name] = word
                on_change(name, word, elapsed)
            match judge(state, first.get(name), since):
                case Verdict.WELL:
                    took.setdefault(name, elapsed)
                case Verdict.FAILED:
                    raise Failure(name, state)
                case Verdict.WAITING:
                    took.pop(name, None)
        if len(took) == len(names):
            return took
        if elapsed > seconds:
            late = next(name for name in names if name not in took)
            raise Failure(late, states.get(late))
        time.sleep(POLL_SECONDS)
