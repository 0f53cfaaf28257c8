"""Moving the keys of a plan: windows of MOVE commands, copied from the plan to the server.

MOVE is atomic and repeatable: a key is in exactly one database at any moment, and one that moved before
answers 0. So a crash at any point needs no more than going on from the last position that the journal
calls done.
"""

from __future__ import annotations

import select
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import hiredis

from autobot_ops.errors import OpsError
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import RESUME, MigrationInterrupted, MoveRefused
from autobot_ops.migration.looking import Found, Inspector
from autobot_ops.migration.pace import Pace
from autobot_ops.migration.plan_file import UNIT_KEYS, PlanFile, unit_keys
from autobot_ops.migration.run_folder import RunFolder, named
from autobot_ops.rdb.stream import Endpoint

RESERVED_KEYS = 1 << 18
"""Keys that a synced line of the journal announces: a sync each half second or so costs nothing."""

PROBE_SECONDS = 0.02
_REPLY = 4
_MOVED = b":1\r\n"
_LEFT = ord("0")

Progress = Callable[[int, Pace], object]
"""Called with the position in the plan and the pace."""


class Resolver(Protocol):
    """What becomes of keys that are in database 0 and in their target too."""

    def resolve(self, keys: Sequence[bytes], number: int, /) -> Sequence[Found]:
        """Deal with them; what they are now, key by key."""
        ...


@dataclass
class Moved:
    """What became of a plan: keys that our MOVE moved, and, of the others, what was found."""

    moved: int = 0
    found: Counter[Found] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Window:
    units: Sequence[bytes]
    keys: int
    until: int
    number: int


class Mover:
    """Moves keys by plans, over three connections; a context manager.

    `stop` is asked between windows. ServerLost and MoveRefused where the server fails: what was done is in
    the journal.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        pace: Pace,
        *,
        resolver: Resolver | None = None,
        stop: Callable[[], bool] = lambda: False,
        progress: Progress | None = None,
    ) -> None:
        self._pace = pace
        self._stop = stop
        self._progress = progress
        self._resolver = resolver
        self._main = Connection(endpoint)
        self._probe = Connection(endpoint)
        self._inspector = Inspector(Connection(endpoint))
        self._poll = select.poll()
        self._poll.register(self._main.socket, select.POLLIN)
        self._poll.register(self._probe.socket, select.POLLIN)
        self._probe_number = self._probe.socket.fileno()
        self._asked_at = self._answered_at = 0.0
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._main.close()
        self._probe.close()
        self._inspector.close()

    def move(self, plan: PlanFile, numbers: Sequence[int], run: RunFolder, position: int = 0) -> Moved:
        """Move what is behind `position`. `numbers` are the targets of the plan's sections.

        Raises MigrationInterrupted when `stop` says so, after the windows under way.
        """
        result = Moved()
        journal = _Progress(run, plan.path.name, plan.keys, position)
        try:
            self._run(plan, numbers, run, result, journal)
        except OpsError:
            journal.note()
            raise
        if journal.done < plan.keys:
            journal.note()
            raise MigrationInterrupted(f"stopped after {journal.done:,} of {plan.keys:,} keys", hint=RESUME)
        run.write("moved", plan=plan.path.name, keys=result.moved, sync=True)
        return result

    def _run(
        self, plan: PlanFile, numbers: Sequence[int], run: RunFolder, result: Moved, journal: _Progress
    ) -> None:
        pace = self._pace
        began, sent = time.monotonic(), 0
        windows = self._windows(plan, numbers, journal.done)
        under_way: deque[_Window] = deque()
        stopping = False
        while True:
            while not stopping and len(under_way) < pace.in_flight:
                wait = pace.ahead(sent, time.monotonic() - began)
                if wait > 0:
                    if under_way:
                        break
                    self._listen(min(wait, PROBE_SECONDS))
                    stopping = self._stop()
                    continue
                window = next(windows, None)
                if window is None:
                    stopping = True
                    break
                journal.reserve(window.until)
                self._main.send(b"".join(window.units))
                under_way.append(window)
                sent += window.keys
            if not under_way:
                return
            self._ask_probe()
            self._take_answers(under_way, result, run, plan.path.name)
            journal.done = under_way.popleft().until
            if self._progress is not None:
                self._progress(journal.done, pace)
            stopping = stopping or self._stop()

    def _windows(self, plan: PlanFile, numbers: Sequence[int], position: int) -> Iterator[_Window]:
        for block in plan.read(position):
            place = block.place
            at = max(0, position - place.position) // UNIT_KEYS
            while at < len(block.units):
                units = block.units[at : at + self._pace.units]
                begins = place.position + at * UNIT_KEYS
                at += len(units)
                until = min(place.position + at * UNIT_KEYS, place.position + place.keys)
                yield _Window(units, until - begins, until, numbers[place.section])

    def _take_answers(
        self, under_way: Sequence[_Window], result: Moved, run: RunFolder, plan_name: str
    ) -> None:
        window = under_way[0]
        wanted = _REPLY * window.keys
        while len(self._received) < wanted:
            if b"-" in self._received:
                self._refused(sum(each.keys for each in under_way))
            self._receive()
        answers, self._received = self._received[:wanted], self._received[wanted:]
        moved = answers.count(_MOVED)
        result.moved += moved
        if moved < window.keys:
            if b"-" in answers:
                self._received = answers + self._received
                self._refused(sum(each.keys for each in under_way))
            names = [key for unit in window.units for key in unit_keys(unit)]
            left = [key for index, key in enumerate(names) if answers[index * _REPLY + 1] == _LEFT]
            self._look_at(left, window.number, result, run, plan_name)

    def _look_at(
        self, keys: Sequence[bytes], number: int, result: Moved, run: RunFolder, plan_name: str
    ) -> None:
        """Find out why keys answered 0, and journal those that aren't where they should be."""
        reasons = self._inspector.look(keys, number)
        both = [key for key, reason in zip(keys, reasons, strict=True) if reason is Found.BOTH]
        if both and self._resolver is not None:
            resolved = dict(zip(both, self._resolver.resolve(both, number), strict=True))
            reasons = [resolved.get(key, reason) for key, reason in zip(keys, reasons, strict=True)]
        result.found.update(reasons)
        for reason in set(reasons) - {Found.TARGET, Found.REPLACED}:
            left = [key for key, each in zip(keys, reasons, strict=True) if each is reason]
            run.write("stayed", plan=plan_name, number=number, reason=reason.value, keys=named(left))

    def _receive(self) -> None:
        if self._main.pending() or self._listen(None):
            self._received += self._main.receive()

    def _listen(self, seconds: float | None) -> bool:
        """Wait until something comes, at most so long; whether it came for moved keys."""
        timeout = None if seconds is None else seconds * 1000
        came = False
        for number, _ in self._poll.poll(timeout):
            if number == self._probe_number:
                self._probe.replies(1, self._probe.receive())
                self._answered_at = time.monotonic()
                self._pace.observe(self._answered_at - self._asked_at)
                self._asked_at = 0.0
            else:
                came = True
        return came

    def _ask_probe(self) -> None:
        """Ask as another client would, and don't wait for it."""
        now = time.monotonic()
        if not self._asked_at and now - self._answered_at >= PROBE_SECONDS:
            self._asked_at = now
            self._probe.send(b"PING\r\n")

    def _refused(self, count: int) -> None:
        for reply in self._main.replies(count, self._received):
            if isinstance(reply, hiredis.ReplyError):
                raise MoveRefused(f"{self._main.endpoint} refuses to move: {reply}", hint=_cure(str(reply)))


class _Progress:
    """The journal of one plan: reserves ahead of what is sent."""

    def __init__(self, run: RunFolder, plan_name: str, keys: int, position: int) -> None:
        self._run = run
        self._name = plan_name
        self._keys = keys
        self._reserved = position
        self.done = position

    def reserve(self, until: int) -> None:
        """Have it on disk that keys up to `until` may have moved, before they do."""
        if until > self._reserved:
            self._reserved = min(self._keys, until + RESERVED_KEYS)
            self._run.write("reserved", plan=self._name, until=self._reserved, done=self.done, sync=True)

    def note(self) -> None:
        """Note how far it is."""
        self._run.write("reserved", plan=self._name, until=self._reserved, done=self.done, sync=True)


def _cure(answer: str) -> str:
    if answer.startswith("READONLY"):
        return f"This is a replica: give the master's address. {RESUME}"
    if answer.startswith("NOPERM"):
        return f"The user needs MOVE: inv database.reload. {RESUME}"
    if answer.startswith(("OOM", "MISCONF")):
        return f"Make room on the server, in memory or on its disk. {RESUME}"
    return f"Look into the server's log. {RESUME}"
