"""Loading one database's RDB into a staging database of a live server.

Usual keys go by RESTORE as they are in the file, large ones piece by piece, so that other clients hardly
notice. Keys whose time is over are counted and not revived. A crash leaves a partly filled staging
database, which nobody reads and the next restore clears away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.payload import restore_payload
from autobot_ops.rdb.pieces import can_be_split, commands_of
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream_pieces import Command
from autobot_ops.rdb.window import Source
from autobot_ops.restore.pipe import CommandPipe

WHOLE_BYTES = 64 * 1024
"""Larger values are loaded in pieces: a server needs a millisecond or more to decode one at once."""

REPORT_EVERY = 10_000
"""Keys between two reports of progress."""

Wanted = Callable[[bytes], bool]
Clock = Callable[[], int]
"""The server's time in milliseconds."""


@dataclass
class Loaded:
    """What became of a file's keys. `incomplete` couldn't be said in commands and must be loaded whole."""

    keys: int = 0
    in_pieces: int = 0
    expired: int = 0
    not_wanted: int = 0
    offset: int = 0
    incomplete: set[bytes] = field(default_factory=set)


Report = Callable[[Loaded], None]


def load(
    source: Source,
    pipe: CommandPipe,
    now: Clock,
    *,
    wanted: Wanted | None = None,
    whole_bytes: int = WHOLE_BYTES,
    report: Report = lambda loaded: None,
) -> Loaded:
    """Load the entries of a file for one database; all are answered when this returns.

    `whole_bytes` is the largest value that goes by RESTORE. Keys in `incomplete` are there, but not as
    they should be: give the file to `load_whole` for them. Raises DamagedRdb, LoadRefused, ServerLost.
    """
    loaded = Loaded()
    # No entry may be used as a whole that is larger than what the server takes at once.
    reader = Reader(source, chunk_bytes=max(whole_bytes, WHOLE_BYTES))
    send = pipe.send_packed
    time_is = now()
    footer = b""
    for entry in reader:
        if not loaded.keys:
            footer = reader.version.to_bytes(2, "little")
        if loaded.keys % 1000 == 0:
            time_is = now()
        if wanted is not None and not wanted(entry.key):
            loaded.not_wanted += 1
            continue
        expires_at = entry.expires_at
        if expires_at is not None and expires_at <= time_is:
            loaded.expired += 1
            continue
        end = entry.end
        if end and end - entry.value_at <= whole_bytes:
            body = b"%c%b%b" % (entry.code, entry.data[entry.value_at : end], footer)
            send(_packed_restore(entry.key, expires_at or 0, body, crc64(body)))
        elif can_be_split(entry, reader.dialect):
            loaded.in_pieces += 1
            count = 0
            for count, command in enumerate(commands_of(entry, reader.dialect), 1):  # noqa: B007
                pipe.send(command, _check_of(command, loaded.incomplete))
            if not count:
                loaded.incomplete.add(entry.key)
        else:
            _restore(pipe, entry, reader.version)
        loaded.keys += 1
        if loaded.keys % REPORT_EVERY == 0:
            loaded.offset = reader.window.offset
            report(loaded)
    pipe.finish()
    loaded.offset = reader.window.offset
    return loaded


def _packed_restore(key: bytes, expires_at: int, body: bytes, checksum: int) -> bytes:
    """RESTORE as it goes over the line, thrice as fast as the general way."""
    moment = b"%d" % expires_at
    return b"*5\r\n$7\r\nRESTORE\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b%b\r\n$6\r\nABSTTL\r\n" % (
        len(key), key, len(moment), moment, len(body) + 8, body, checksum.to_bytes(8, "little"),
    )  # fmt: skip


def load_whole(source: Source, pipe: CommandPipe, keys: set[bytes]) -> None:
    """Replace these keys by what the file has, each by one RESTORE of any size, up to a server's 512 MiB."""
    reader = Reader(source)
    for entry in reader:
        if entry.key in keys:
            _restore(pipe, entry, reader.version)
    pipe.finish()


def _restore(pipe: CommandPipe, entry: Entry, version: int) -> None:
    payload = restore_payload(entry, version)
    pipe.send((b"RESTORE", entry.key, entry.expires_at or 0, payload, b"ABSTTL", b"REPLACE"))


def _check_of(command: Command, incomplete: set[bytes]) -> Callable[[object], None] | None:
    """XCLAIM leaves out pending entries whose message was deleted; its answer has those that it took."""
    if command[0] != b"XCLAIM":
        return None
    return partial(_check_claim, command, incomplete)


def _check_claim(command: Command, incomplete: set[bytes], reply: object) -> None:
    claimed = len(command) - len((b"XCLAIM", b"key", b"group", b"consumer", b"0")) - 6
    if not isinstance(reply, list) or len(reply) != claimed:
        incomplete.add(command[1])
