"""The ledger: what was restored and not yet committed, kept in the server itself, in its top database.

It is written in the same transaction as the exchange that it records, so whatever crashes when, the
server's ledger says what was exchanged. One record for each restored database, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import redis

from autobot_ops.ports import Dialer

Elsewhere = tuple[int, tuple[object, ...]]
"""A command in a transaction: the number of the database that it runs in, and its words."""

PREFIX = "restore:"
NAMES_PREFIX = "restored-keys:"
NAMES_AT_ONCE = 500


class State(StrEnum):
    """How far a restore is."""

    LOADING = "loading"
    """Nothing was exchanged: what is in staging is of no use to anybody."""

    EXCHANGING = "exchanging"
    """Some of the matching keys are exchanged: to be taken back."""

    OPEN = "open"
    """Exchanged; the former content is kept until somebody commits or undoes."""


@dataclass(frozen=True)
class Record:
    """One restore. Times are UTC in ISO format; `former` is where the keys go that a match displaces."""

    id: str
    database: str
    number: int
    staging: int
    archive: str
    source: str
    state: State
    began_at: str
    keys: int
    expired: int
    match: str | None = None
    former: int | None = None
    exchanged_at: str | None = None
    fingerprint: str | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The staging databases that it takes."""
        return (self.staging,) if self.former is None else (self.staging, self.former)

    @property
    def kept_in(self) -> int:
        """Where the former content is."""
        return self.staging if self.former is None else self.former

    def opened(self, at: str, fingerprint: str) -> Record:
        """The same, exchanged."""
        return replace(self, state=State.OPEN, exchanged_at=at, fingerprint=fingerprint)

    def render(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse_record(text: bytes | str) -> Record:
    """From JSON; ValueError or TypeError where it is no record of this version."""
    document = json.loads(text)
    return Record(**{**document, "state": State(document["state"])})


class Ledger:
    """The records, through a connection to the top database. Every change is one transaction."""

    def __init__(self, client: redis.Redis, number: int) -> None:
        self._client: Any = client
        self._number = number

    def records(self) -> list[Record]:
        """All of them, the oldest first."""
        keys = sorted(self._client.scan_iter(match=f"{PREFIX}*", count=1000))
        texts = self._client.mget(keys) if keys else []
        found = [parse_record(text) for text in texts if text is not None]
        return sorted(found, key=lambda record: record.began_at)

    def write(self, record: Record, *before: Elsewhere) -> None:
        """Set a record, in one transaction with the commands that come before it."""
        self._transaction(*before, (self._number, ("SET", _key(record), record.render())))

    def drop(self, record: Record, *before: Elsewhere) -> None:
        """Remove a record, likewise."""
        self._transaction(*before, (self._number, ("UNLINK", _key(record), _names_key(record))))

    def note_names(self, record: Record, names: Sequence[bytes]) -> None:
        """Append names of keys that the restore exchanges."""
        if names:
            self._client.rpush(_names_key(record), *names)

    def names(self, record: Record) -> list[bytes]:
        """All of them."""
        found: list[bytes] = self._client.lrange(_names_key(record), 0, -1)
        return found

    def _transaction(self, *commands: Elsewhere) -> None:
        pipe = self._client.pipeline(transaction=True)
        selected = self._number
        for number, words in commands:
            if number != selected:
                pipe.execute_command("SELECT", number)
                selected = number
            pipe.execute_command(*words)
        pipe.execute()


def kept_by_restores(dial: Dialer, ledger_number: int) -> dict[int, str]:
    """Staging numbers of open restores, with the databases whose former content they keep."""
    with dial(ledger_number) as client:
        records = Ledger(client, ledger_number).records()
    return {record.kept_in: record.database for record in records if record.state is State.OPEN}


def _key(record: Record) -> str:
    return f"{PREFIX}{record.number}"


def _names_key(record: Record) -> str:
    return f"{NAMES_PREFIX}{record.number}"
