"""What was acknowledged while something failed, and whether all of it is still there.

A write counts once its answer said so. One that was refused, or whose answer never came, may have
happened or not: nothing is claimed of it.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

STOP_SECONDS = 90.0
POLL_SECONDS = 0.05
HELD_UP_SECONDS = 0.3
"""Writes take a tenth of it while all is well."""
WRITES_BEFORE = 5
"""Of each writer, before anything fails: a fault that is over at once has something to lose too."""


class NotAcknowledged(Exception):
    """A write was refused, or nobody knows what became of it."""


class Writer(ABC):
    """One way into the stack. Used by one thread while it writes, by another one afterwards."""

    name: str
    per_second: float

    @abstractmethod
    def write(self, number: int) -> str:
        """Write once; what identifies the write. Raises NotAcknowledged."""

    @abstractmethod
    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """Those of the acknowledged writes, in the order they were made, that aren't there."""


@dataclass
class Account:
    """What became of one writer's writes. Times are those of `time.monotonic`.

    `held_up` counts those that were acknowledged, but not within HELD_UP_SECONDS.
    """

    writer: Writer
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    held_up: int = 0
    slowest_seconds: float = 0.0
    last_refusal: str = ""
    refused_at: float = 0.0
    acknowledged_at: float = 0.0
    began_last_acknowledged: float = 0.0

    def write_once(self, number: int) -> None:
        """One write and its entry here."""
        began = time.monotonic()
        try:
            written = self.writer.write(number)
        except NotAcknowledged as refusal:
            self.refused += 1
            self.refused_at, self.last_refusal = time.monotonic(), str(refusal)
        else:
            self.acknowledged.append(written)
            self.acknowledged_at, self.began_last_acknowledged = time.monotonic(), began
            self.held_up += self.acknowledged_at - began > HELD_UP_SECONDS
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)


class Ledger:
    """Writers at work, each in a thread at its own rate, between `with` and its end."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self.accounts = {writer.name: Account(writer) for writer in writers}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Ledger:
        """Begin, and wait until every writer has been acknowledged a few times."""
        for account in self.accounts.values():
            thread = threading.Thread(target=self._work, args=(account,), daemon=True)
            thread.start()
            self._threads.append(thread)
        for _ in range(WRITES_BEFORE):
            assert self.wait_until_all_write(time.monotonic(), STOP_SECONDS), self.words()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; the write that each is at is finished and counted."""
        self._over.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def all_write_since(self, moment: float) -> bool:
        """Whether every writer's last word is an acknowledgement of a write begun after this moment."""
        return all(
            account.began_last_acknowledged >= moment and account.acknowledged_at >= account.refused_at
            for account in self.accounts.values()
        )

    def wait_until_all_write(self, moment: float, seconds: float) -> bool:
        """As all_write_since, when it comes true in so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.all_write_since(moment):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    @property
    def acknowledged(self) -> int:
        """Writes of all writers that were acknowledged."""
        return sum(len(account.acknowledged) for account in self.accounts.values())

    @property
    def refused(self) -> int:
        """Writes of all writers that were refused, or whose answer never came."""
        return sum(account.refused for account in self.accounts.values())

    def lost(self) -> list[str]:
        """Every acknowledged write that isn't there, by its writer's name."""
        assert not any(thread.is_alive() for thread in self._threads), "a writer is still at work"
        return [
            f"{name}: {written}"
            for name, account in self.accounts.items()
            for written in account.writer.missing(account.acknowledged)
        ]

    def words(self) -> str:
        """A line for each writer, for a failure's report."""
        return "\n".join(
            f"{name}: {len(account.acknowledged)} acknowledged, {account.refused} refused, slowest "
            f"{account.slowest_seconds:.1f} s; last refusal: {account.last_refusal or 'none'}"
            for name, account in self.accounts.items()
        )

    def _work(self, account: Account) -> None:
        number = 0
        while not self._over.wait(1 / account.writer.per_second):
            account.write_once(number)
            number += 1
