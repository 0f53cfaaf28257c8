"""Keys that are in database 0 and in their target: which of the two stays, and where the other one goes.

Nothing is deleted. The one that gives way is moved aside, into an empty staging database, so that a rollback
has it; where there is none, nothing is replaced.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Literal

import hiredis

from autobot_ops.errors import RefusedForSafety
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.looking import Found
from autobot_ops.migration.routes import SOURCE_NUMBER
from autobot_ops.migration.run_folder import RunFolder, named
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS, SELECT, VALKEY, Dialect
from autobot_ops.rdb.reader import Reader

Choice = Literal["fail", "skip", "replace", "keep-newer"]
CHOICES: tuple[Choice, ...] = ("fail", "skip", "replace", "keep-newer")
REPLACING: tuple[Choice, ...] = ("replace", "keep-newer")

LARGEST_COMPARED = 16 * 1024 * 1024
"""Larger values (bytes of memory) count as different: comparing them would hold the server up."""

DigestsFor = Callable[[Dialect], KeyDigests]

_FOOTER_BYTES = 10
_VERSION_BYTES = 2


class NowhereAside(RefusedForSafety):
    """No empty database to put the replaced values into."""


class Conflicts:
    """Resolves collisions in one way, on a connection of its own. See moving.Resolver."""

    def __init__(
        self,
        connection: Connection,
        choice: Choice,
        aside: int | None,
        run: RunFolder,
        *,
        source: int = SOURCE_NUMBER,
    ) -> None:
        """`source` is the database that keys come from, 0 or a staging one."""
        self._source = source
        self._connection = connection
        self._choice = choice
        self._aside = aside
        self._run = run

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def resolve(self, keys: Sequence[bytes], number: int) -> list[Found]:
        """Deal with keys that are in both; what they are now."""
        return [self._resolve(key, number) for key in keys]

    def _resolve(self, key: bytes, number: int) -> Found:
        # Asked before the values are compared, which counts as use.
        ours = self._choice == "replace" or (self._choice == "keep-newer" and self._is_newer(key, number))
        if self._equal(key, number):
            return Found.EQUAL
        if self._choice not in REPLACING or self._aside is None:
            return Found.BOTH
        return self._replace(key, number) if ours else self._give_way(key, number)

    def _replace(self, key: bytes, number: int) -> Found:
        """The target's value goes aside and ours takes its place, in one transaction."""
        self._note(key, number, origin=number)
        replies = self._connection.ask_all(
            [
                ("MULTI",),
                ("SELECT", number),
                ("MOVE", key, self._aside or 0),
                ("SELECT", self._source),
                ("MOVE", key, number),
                ("EXEC",),
            ]
        )
        self._connection.number = -1
        # A last command EXEC would make this connection look like a client that works in database 0.
        self._connection.select(self._source)
        done = replies[-1]
        return Found.REPLACED if isinstance(done, list) and done[-1] == 1 else Found.BOTH

    def _give_way(self, key: bytes, number: int) -> Found:
        self._note(key, number, origin=self._source)
        self._connection.select(self._source)
        return Found.OLDER if self._connection.ask("MOVE", key, self._aside or 0) == 1 else Found.BOTH

    def _note(self, key: bytes, number: int, *, origin: int) -> None:
        """On disk before it happens: a rollback asks for the key there, and finds it or not."""
        self._run.write(
            "displaced", keys=named([key]), number=number, origin=origin, aside=self._aside, sync=True
        )

    def _equal(self, key: bytes, number: int) -> bool:
        """Whether type, value and expiry are the same."""
        return self._digest(key, self._source) == self._digest(key, number) is not None

    def _digest(self, key: bytes, number: int) -> int | None:
        self._connection.select(number)
        size = self._connection.ask("MEMORY", "USAGE", key)
        if not isinstance(size, int) or size > LARGEST_COMPARED:
            return None
        dump, expiry = self._connection.ask_all([("DUMP", key), ("PEXPIRETIME", key)])
        if not isinstance(dump, bytes) or not isinstance(expiry, int):
            return None
        return digest_of_dump(key, dump) * 31 + expiry

    def _is_newer(self, key: bytes, number: int) -> bool:
        """Whether database 0 has the later expiry, else the later stream entry, else what was used last.

        In doubt it isn't, and the target's stays.
        """
        # The idle time comes first, for the other questions count as use.
        source_idle, target_idle = self._both(key, number, "OBJECT", "IDLETIME")
        source_expiry, target_expiry = self._both(key, number, "PEXPIRETIME")
        if source_expiry != target_expiry and _numbers(source_expiry, target_expiry, least=1):
            return _as_number(source_expiry) > _as_number(target_expiry)
        source_entry, target_entry = map(_last_entry, self._both(key, number, "XINFO", "STREAM"))
        if source_entry and target_entry and source_entry != target_entry:
            return source_entry > target_entry
        if self._source != SOURCE_NUMBER:
            return False  # what was loaded just now has no past
        return _numbers(source_idle, target_idle) and _as_number(source_idle) < _as_number(target_idle)

    def _both(self, key: bytes, number: int, *words: str) -> tuple[object, object]:
        answers = []
        for each in (self._source, number):
            self._connection.select(each)
            answers.append(self._connection.ask(*words, key))
        return answers[0], answers[1]


def _numbers(*answers: object, least: int = 0) -> bool:
    return all(isinstance(each, int) and each >= least for each in answers)


def _as_number(answer: object) -> int:
    assert isinstance(answer, int)  # noqa: S101 (for the type checker: _numbers asked)
    return answer


def digest_of_dump(
    key: bytes, dump: bytes, expires_at: int | None = None, digests: DigestsFor = KeyDigests
) -> int:
    """The digest of a value by its DUMP: the same for equal values, whatever their encoding."""
    body, footer = dump[:-_FOOTER_BYTES], dump[-_FOOTER_BYTES:]
    version = int.from_bytes(footer[:_VERSION_BYTES], "little")
    header = b"VALKEY%03d" % version if version in VALKEY.versions else b"REDIS%04d" % version
    name = b"\x80" + len(key).to_bytes(4, "big") + key
    expiry = b"" if expires_at is None else bytes((EXPIRES_MILLISECONDS,)) + expires_at.to_bytes(8, "little")
    reader = Reader(
        io.BytesIO(header + bytes((SELECT, 0)) + expiry + body[:1] + name + body[1:] + b"\xff" + bytes(8)),
        accept_missing_checksum=True,
    )
    total = 0
    for entry in reader:
        total = digests(reader.dialect).of(entry)
    return total


def _last_entry(information: object) -> tuple[int, ...]:
    if not isinstance(information, list) or isinstance(information, hiredis.ReplyError):
        return ()
    facts = dict(zip(information[::2], information[1::2], strict=False))
    text = facts.get(b"last-generated-id", b"")
    return tuple(int(part) for part in text.split(b"-")) if isinstance(text, bytes) and text else ()
