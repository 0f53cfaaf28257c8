"""A large value as a sequence of native commands, none of which keeps a server busy for long.

RESTORE of a hash of a million fields stops a server for most of a second; the same in pieces lets others
in between. Strings go by SET and APPEND, lists by RPUSH, sets by SADD, hashes by HSET (fields' expiries by
HPEXPIREAT), sorted sets by ZADD with scores that read back to the same eight bytes, streams by XADD and
what `stream_pieces` says; a key's expiry comes last. The commands suppose that the key doesn't exist.

Not in pieces, because only RESTORE can say them: modules' values; streams as servers before 7.0 write them
(those refuse the counters' options, and later ones estimate what a group has read only when they load);
and hashes in zipmaps, which no server of the last ten years writes. `can_be_split` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from autobot_ops.rdb.content import LongString, read_string
from autobot_ops.rdb.elements import (
    HASHES,
    LISTS,
    SETS,
    SORTED_SETS,
    Elements,
    Fields,
    ScoredMembers,
    fields_with_expiry,
)
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.layout import VALKEY, Dialect
from autobot_ops.rdb.lzf import BadCompression
from autobot_ops.rdb.skipping import BadEncoding
from autobot_ops.rdb.stream_pieces import Command, stream_commands
from autobot_ops.rdb.tokens import BadPacking
from autobot_ops.rdb.window import Window

PIECE_BYTES = 8 * 1024
PIECE_ELEMENTS = 100
STRING_PIECE_BYTES = 4 * 1024 * 1024
"""A server takes a SET of any size without copying it; APPEND reserves up to 1 MiB in excess."""

_Split = Callable[[bytes, Window], Iterator[Command]]


def can_be_split(entry: Entry, dialect: Dialect) -> bool:
    """Whether this entry's type can be written in pieces."""
    return _split_of(entry.code, dialect) is not None


def commands_of(entry: Entry, dialect: Dialect) -> Iterator[Command]:
    """Commands that make the entry's key, none where no command can; reads its value to the end.

    MalformedRecord where it is no value.
    """
    split = _split_of(entry.code, dialect)
    if split is None:
        raise ValueError(f"type {entry.code} can't be split")
    exists = False
    try:
        for command in split(entry.key, entry.content()):
            exists = True
            yield command
    except (BadPacking, BadEncoding, BadCompression, IndexError, OverflowError) as error:
        raise MalformedRecord(f"{error}, in the value of {entry.key[:60]!r}", offset=entry.offset) from error
    if exists and entry.expires_at is not None:
        yield b"PEXPIREAT", entry.key, b"%d" % entry.expires_at


def exact_score(score: float) -> bytes:
    """A text that servers read to the same eight bytes."""
    return repr(score).encode()


def _split_of(code: int, dialect: Dialect) -> _Split | None:
    if dialect is VALKEY and code == 22:
        return lambda key, window: _hash(key, fields_with_expiry(window))
    return _SPLITS.get(code)


def _gathered(head: Command, records: Iterable[Command]) -> Iterator[Command]:
    """Commands that begin with `head` and take as many records, of a word or two, as a piece may have."""
    command = list(head)
    size = count = 0
    for record in records:
        command += record
        size += len(record[0]) + len(record[-1])
        count += 1
        if size >= PIECE_BYTES or count >= PIECE_ELEMENTS:
            yield tuple(command)
            command = list(head)
            size = count = 0
    if count:
        yield tuple(command)


def _string(key: bytes, window: Window) -> Iterator[Command]:
    text = read_string(window)
    verb = b"SET"
    if isinstance(text, bytes):
        yield verb, key, text
        return
    for piece in _larger_pieces(text):
        yield verb, key, piece
        verb = b"APPEND"


def _larger_pieces(text: LongString) -> Iterator[bytes]:
    if text.length <= STRING_PIECE_BYTES:
        yield text.joined()
        return
    held: list[bytes] = []
    size = 0
    for piece in text:
        held.append(piece)
        size += len(piece)
        if size >= STRING_PIECE_BYTES:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)


def _hash(key: bytes, fields: Iterable[tuple[bytes, bytes, int]]) -> Iterator[Command]:
    """HSET in pieces, each followed by the expiries of its fields, one command for each moment."""
    expiring: dict[int, list[bytes]] = {}

    def records() -> Iterator[Command]:
        for name, value, expires_at in fields:
            if expires_at:
                expiring.setdefault(expires_at, []).append(name)
            yield name, value

    for command in _gathered((b"HSET", key), records()):
        yield command
        for expires_at, names in expiring.items():
            yield b"HPEXPIREAT", key, b"%d" % expires_at, b"FIELDS", b"%d" % len(names), *names
        expiring.clear()


def _elements(verb: bytes, read: Elements) -> _Split:
    return lambda key, window: _gathered((verb, key), ((each,) for each in read(window)))


def _sorted_set(read: ScoredMembers) -> _Split:
    return lambda key, window: _gathered(
        (b"ZADD", key), ((exact_score(score), member) for member, score in read(window))
    )


def _fields(read: Fields) -> _Split:
    return lambda key, window: _hash(key, read(window))


_SPLITS: Mapping[int, _Split] = MappingProxyType(
    {
        0: _string,
        19: stream_commands(2),
        21: stream_commands(3),
        **{code: _elements(b"RPUSH", read) for code, read in LISTS.items()},
        **{code: _elements(b"SADD", read) for code, read in SETS.items()},
        **{code: _sorted_set(read) for code, read in SORTED_SETS.items()},
        **{code: _fields(read) for code, read in HASHES.items()},
    }
)
