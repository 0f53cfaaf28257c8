"""A fault as data, and what is done with one: inject it, see who says what, mend it, see all come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import httpx

from tests.faults.ledger import Account, Ledger
from tests.integration.live import Stack

POLL_SECONDS = 0.1
WELL_SECONDS = 180.0
Act = Callable[[Stack], None]


@dataclass(frozen=True)
class Scene:
    """A fault as it happens. `began` is Unix time, `before` has the accounts of that moment."""

    stack: Stack
    ledger: Ledger
    began: float
    before: dict[str, Account]


@dataclass(frozen=True)
class Sign:
    """What somebody has to say of a fault, and within how many seconds."""

    who: str
    is_seen: Callable[[Scene], bool]
    within: float
    every: float = 0.1
    """Seconds between two looks."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `inject` returns when it has happened. `mend` takes it back; None where the stack recovers with no
    hand. `starts_anew` names the services whose container may start anew; no other one may. Seconds count
    from the injection, those of `recovers_within` from the mending where there is one. No request may wait
    longer for its answer than `answers_within`.
    """

    name: str
    inject: Act
    signs: tuple[Sign, ...]
    recovers_within: float
    mend: Act | None = None
    starts_anew: tuple[str, ...] = ()
    answers_within: float = 30.0


@dataclass
class Outcome:
    """What was seen of a fault. `lost` names acknowledged writes that weren't there afterwards."""

    fault: str
    seen: dict[str, float | None] = field(default_factory=dict)
    recovered: float | None = None
    by_itself: bool = False
    acknowledged: int = 0
    refused: int = 0
    slowest_seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    started_anew: list[str] = field(default_factory=list)


def go_through(stack: Stack, fault: Fault, ledger: Ledger) -> Outcome:
    """The whole of a fault while the ledger's writers are at work. Judges nothing."""
    wait_until_well(stack)
    starts = start_times(stack)
    outcome = Outcome(fault.name, by_itself=fault.mend is None)
    with ledger:
        before = {name: replace(account) for name, account in ledger.accounts.items()}
        scene = Scene(stack, ledger, time.time(), before)
        for sign in fault.signs:
            assert not sign.is_seen(scene), f"{sign.who} says so before anything failed"
        began = time.monotonic()
        seen = threading.Event()
        try:
            with ThreadPoolExecutor(len(fault.signs)) as watchers:
                watched = [watchers.submit(_seconds_until, sign, scene, began, seen) for sign in fault.signs]
                fault.inject(stack)
                if fault.mend is None and seen.wait(max(sign.within for sign in fault.signs)):
                    outcome.recovered = _recovery(stack, ledger, began, fault.recovers_within)
                outcome.seen = {s.who: w.result() for s, w in zip(fault.signs, watched, strict=True)}
        except BaseException:
            # The next test shall meet a stack that is whole, whatever went wrong here.
            if fault.mend is not None:
                fault.mend(stack)
            raise
        if fault.mend is not None:
            mended = time.monotonic()
            fault.mend(stack)
            outcome.recovered = _recovery(stack, ledger, mended, fault.recovers_within)
    wait_until_well(stack)
    outcome.acknowledged, outcome.refused = ledger.acknowledged, ledger.refused
    outcome.slowest_seconds = max(account.slowest_seconds for account in ledger.accounts.values())
    outcome.lost = ledger.lost()
    now = start_times(stack)
    outcome.started_anew = sorted(name for name, moment in starts.items() if now.get(name) != moment)
    return outcome


def shortcomings(fault: Fault, outcome: Outcome) -> list[str]:
    """What an outcome owes. Pure."""
    owed = [
        f"{sign.who} did not say so within {sign.within:g} s"
        for sign in fault.signs
        if outcome.seen.get(sign.who) is None
    ]
    if outcome.recovered is None:
        owed.append(f"not recovered within {fault.recovers_within:g} s")
    if outcome.lost:
        owed.append(f"{len(outcome.lost)} acknowledged writes are lost: {', '.join(outcome.lost[:5])}")
    if not outcome.acknowledged:
        owed.append("nothing was acknowledged, so nothing is shown")
    if outcome.slowest_seconds > fault.answers_within:
        owed.append(f"a request waited {outcome.slowest_seconds:.1f} s, more than {fault.answers_within:g} s")
    if others := set(outcome.started_anew) - set(fault.starts_anew):
        owed.append(f"started anew without a reason: {', '.join(sorted(others))}")
    return owed


def agents_ready(stack: Stack, agents: Sequence[str] = ()) -> bool:
    """Whether these agents' /readyz say 200; all of them by default."""
    return all(is_ready(stack, name) for name in agents or stack.catalogs.agents)


def is_ready(stack: Stack, agent: str) -> bool:
    """Whether an agent's /readyz says 200."""
    try:
        return httpx.get(stack.url(agent, "/readyz"), timeout=10).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def wait_until_well(stack: Stack) -> None:
    """Until every container is healthy in the engine's eyes and every agent is ready."""
    deadline = time.monotonic() + WELL_SECONDS
    while not (all(_is_healthy(each.attrs) for each in stack.containers()) and agents_ready(stack)):
        assert time.monotonic() < deadline, "the stack is not well"
        time.sleep(POLL_SECONDS)


def start_times(stack: Stack) -> dict[str, str]:
    """When the container of each service started last."""
    return {
        each.labels["com.docker.compose.service"]: each.attrs["State"]["StartedAt"]
        for each in stack.containers()
    }


def _is_healthy(attributes: dict[str, dict[str, dict[str, str]]]) -> bool:
    return attributes["State"].get("Health", {}).get("Status") == "healthy"


def _seconds_until(sign: Sign, scene: Scene, began: float, seen: threading.Event) -> float | None:
    while not sign.is_seen(scene):
        if time.monotonic() - began > sign.within:
            return None
        time.sleep(sign.every)
    seen.set()
    return time.monotonic() - began


def _recovery(stack: Stack, ledger: Ledger, began: float, within: float) -> float | None:
    """Seconds until everybody serves again: agents are ready, writers are acknowledged."""
    looked = time.monotonic()
    while not (ledger.all_write_since(looked) and agents_ready(stack)):
        if time.monotonic() - began > within:
            return None
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began
