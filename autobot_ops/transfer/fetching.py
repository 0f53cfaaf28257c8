"""One database of another server, as an RDB file on this disk that only this process can read.

It is read several times, and large: hence a file. It is the source's data outside its own care: hence
sealed with a key that is never written down, and without a name: a crash leaves nothing that anybody could
use.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import hiredis
from pyrage import x25519

from autobot_ops.backup.sealing import SealedReader, SealingWriter
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import ServerLost
from autobot_ops.migration.scanning import SCAN_COUNT
from autobot_ops.rdb.errors import StreamRefused
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS, SELECT, VALKEY
from autobot_ops.rdb.splitter import RdbWriter, Splitter
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.rdb.window import Source
from autobot_ops.transfer.errors import UNTOUCHED, SourceLost, SourceRefuses

_WHAT = "the copy of the source"
_FOOTER_BYTES, _VERSION_BYTES = 10, 2
_HEADER_OF_NOTHING = b"REDIS0009"
_DUMPED_AT_ONCE = 20
"""Values that are asked for at once: their sizes aren't known before."""

Progress = Callable[[int, int], object]
"""Told bytes and keys."""


@dataclass(frozen=True)
class LocalCopy:
    """A database of the source. `by_stream` tells one point in time from a walk over a living database."""

    file: BinaryIO
    identity: x25519.Identity
    by_stream: bool

    @contextmanager
    def open(self) -> Iterator[Source]:
        """From its beginning; by one reader at a time."""
        self.file.seek(0)
        reader = SealedReader(self.file, [self.identity], encrypted=True, what=_WHAT)
        try:
            yield reader
        finally:
            reader.close()

    def close(self) -> None:
        """Give the room back."""
        self.file.close()


def fetch(
    source: Endpoint, number: int, folder: Path, *, progress: Progress, say: Callable[[str], object]
) -> LocalCopy:
    """Copy a database of the source, by its stream, or where that is withheld by SCAN and DUMP.

    Writes nothing to the source. Raises SourceLost, SourceRefuses, StreamRefused (a wrong password too),
    StreamUnavailable, DamagedRdb, StorageFailed.
    """
    try:
        return _fetch(folder, True, lambda output: _from_stream(source, number, output, progress))
    except StreamRefused as refused:
        reason = refused.message
    # A wrong password is refused here once more, and then for good.
    try:
        with Connection(source, number) as connection:
            say(f"{reason}; reading with SCAN and DUMP instead: slower, and not one point in time")
            return _fetch(folder, False, lambda output: _from_scan(connection, output, progress))
    except ServerLost as error:
        raise SourceLost(error.message, hint=f"{UNTOUCHED} Run it again when the source answers.") from error


def _fetch(folder: Path, by_stream: bool, write: Callable[[SealingWriter], None]) -> LocalCopy:
    identity = x25519.Identity.generate()
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (the copy's owner closes it)
    writer = SealingWriter(file, [identity.to_public()], what=_WHAT)
    try:
        write(writer)
        writer.finish()
        file.flush()
    except BaseException:
        writer.abort()
        file.close()
        raise
    return LocalCopy(file, identity, by_stream)


def _from_stream(source: Endpoint, number: int, output: SealingWriter, progress: Progress) -> None:
    with ReplicationStream(source) as stream:
        splitter = Splitter(stream, lambda found: output if found == number else None)
        for count, _ in enumerate(splitter):
            if count % 10_000 == 0:
                progress(stream.received, count)
        if number not in splitter.writers:
            splitter.add_empty(number, output)


def _from_scan(connection: Connection, output: SealingWriter, progress: Progress) -> None:
    """The same file, made of DUMPs. Names are remembered by hash: SCAN may show one twice."""
    seen: set[int] = set()
    writer: RdbWriter | None = None
    absolute = not isinstance(connection.ask("PEXPIRETIME", ""), hiredis.ReplyError)
    cursor = b"0"
    while True:
        reply = connection.ask("SCAN", cursor, "COUNT", SCAN_COUNT)
        if isinstance(reply, hiredis.ReplyError) or not isinstance(reply, list):
            raise _refused(connection, reply)
        cursor, found = reply
        names = [name for name in dict.fromkeys(found) if hash(name) not in seen]
        seen.update(map(hash, names))
        for at in range(0, len(names), _DUMPED_AT_ONCE):
            for key, dump, expires_at in _dumps(connection, names[at : at + _DUMPED_AT_ONCE], absolute):
                writer = writer or _begin(output, _header_of(dump))
                writer.write(_entry(key, dump, expires_at))
        progress(0 if writer is None else writer.size, len(seen))
        if cursor == b"0":
            break
    (writer or _begin(output, _HEADER_OF_NOTHING)).finish()


def _dumps(
    connection: Connection, names: list[bytes], absolute: bool
) -> Iterator[tuple[bytes, bytes, int | None]]:
    commands: list[tuple[str | bytes, ...]] = [("TIME",)]
    for name in names:
        # The expiry first: a key that gets one in between is then read again by who compares.
        commands += [("PEXPIRETIME" if absolute else "PTTL", name), ("DUMP", name)]
    now, *replies = connection.ask_all(commands)
    for name, expiry, dump in zip(names, replies[::2], replies[1::2], strict=True):
        for each in (expiry, dump):
            if isinstance(each, hiredis.ReplyError):
                raise _refused(connection, each)
        if dump is None or not isinstance(dump, bytes) or not isinstance(expiry, int):
            continue  # it expired or was deleted meanwhile
        if expiry < 0:
            yield name, dump, None
        else:
            yield name, dump, expiry if absolute else milliseconds(now) + expiry


def milliseconds(reply: object) -> int:
    """What TIME answers, in milliseconds."""
    if isinstance(reply, list):
        return int(reply[0]) * 1000 + int(reply[1]) // 1000
    return time.time_ns() // 1_000_000


def _refused(connection: Connection, reply: object) -> SourceRefuses:
    return SourceRefuses(
        f"{connection.endpoint} gives neither its stream nor its keys: {reply}",
        hint="Its user needs +replconf +sync, or +scan +dump +pttl +pexpiretime +time on all keys.",
    )


def _header_of(dump: bytes) -> bytes:
    version = int.from_bytes(dump[-_FOOTER_BYTES:][:_VERSION_BYTES], "little")
    return b"VALKEY%03d" % version if version in VALKEY.versions else b"REDIS%04d" % version


def _begin(output: SealingWriter, header: bytes) -> RdbWriter:
    writer = RdbWriter(output, header, {b"ctime": b"%d" % time.time()})
    writer.write(bytes((SELECT, 0)))
    return writer


def _entry(key: bytes, dump: bytes, expires_at: int | None) -> bytes:
    expiry = b"" if expires_at is None else bytes((EXPIRES_MILLISECONDS,)) + expires_at.to_bytes(8, "little")
    name = b"\x80" + len(key).to_bytes(4, "big") + key
    return expiry + dump[:1] + name + dump[1:-_FOOTER_BYTES]
