"""A stream as commands: its entries, last id, counters, groups, consumers and pending entries.

What is lost: when a consumer was last seen and active (it is when the command runs). What can't be said
in commands: a pending entry whose message was deleted, for XCLAIM leaves that out; its reply has
fewer ids then, which who sends the command must check. Nor a stream of neither entries nor groups: it gives
no command at all. Format: rdbSaveObject in src/rdb.c.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from autobot_ops.rdb.elements import whole_string
from autobot_ops.rdb.packed import listpack_records
from autobot_ops.rdb.tokens import BadPacking, number_of, text_of
from autobot_ops.rdb.window import Window

Command = tuple[bytes, ...]

CLAIMED_AT_ONCE = 250
_ID_BYTES = 16
_DELETED, _SAME_FIELDS = 1, 2
_NO_COUNT = (1 << 64) - 1


def stream_commands(version: int) -> Callable[[bytes, Window], Iterator[Command]]:
    """For version 2 (type 19) or 3 (type 21) of the layout."""
    return lambda key, window: _commands(key, window, version)


def _id(milliseconds: int, sequence: int) -> bytes:
    return b"%d-%d" % (milliseconds, sequence)


def _raw_id(raw: bytes) -> bytes:
    return _id(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))


def _commands(key: bytes, window: Window, version: int) -> Iterator[Command]:
    exists = False
    for _ in range(window.length()):
        window.release()
        for command in _node(key, window):
            exists = True
            yield command
    _length, *last = (window.length() for _ in range(3))
    _first_ms, _first_sequence, *deleted, added = (window.length() for _ in range(5))
    set_id = (
        b"XSETID", key, _id(*last), b"ENTRIESADDED", b"%d" % added, b"MAXDELETEDID", _id(*deleted),
    )  # fmt: skip
    if exists:
        yield set_id
    for _ in range(window.length()):
        window.release()
        yield from _group(key, window, version)
        if not exists:
            # The stream has groups but no entry: it came into being with the first group.
            exists = True
            yield set_id


def _node(key: bytes, window: Window) -> Iterator[Command]:
    identity = whole_string(window)
    if len(identity) != _ID_BYTES:
        raise BadPacking("a stream's node without an id")
    base_ms, base_sequence = int.from_bytes(identity[:8], "big"), int.from_bytes(identity[8:], "big")
    tokens = iter(listpack_records(whole_string(window), 1))
    try:
        entries = number_of(next(tokens)) + number_of(next(tokens))
        names = [text_of(next(tokens)) for _ in range(number_of(next(tokens)))]
        next(tokens)
        for _ in range(entries):
            flags = number_of(next(tokens))
            ms, sequence = base_ms + number_of(next(tokens)), base_sequence + number_of(next(tokens))
            command = [b"XADD", key, _id(ms, sequence)]
            if flags & _SAME_FIELDS:
                for name in names:
                    command += (name, text_of(next(tokens)))
            else:
                command += [text_of(next(tokens)) for _ in range(2 * number_of(next(tokens)))]
            next(tokens)
            if not flags & _DELETED:
                yield tuple(command)
    except StopIteration:
        raise BadPacking("a stream's node that ends in an entry") from None


def _group(key: bytes, window: Window, version: int) -> Iterator[Command]:
    name = whole_string(window)
    last = _id(window.length(), window.length())
    read = _entries_read(window.length())
    yield (b"XGROUP", b"CREATE", key, name, last, b"MKSTREAM", b"ENTRIESREAD", read)
    pending = _Pending(window)
    for _ in range(window.length()):
        window.release()
        consumer = whole_string(window)
        window.take(8 if version < 3 else 16)
        yield (b"XGROUP", b"CREATECONSUMER", key, name, consumer)
        yield from _claims((b"XCLAIM", key, name, consumer, b"0"), pending, window)


def _entries_read(count: int) -> bytes:
    return b"-1" if count == _NO_COUNT else b"%d" % count


def _claims(head: Command, pending: _Pending, window: Window) -> Iterator[Command]:
    """The pending entries of one consumer: those with equal time and count share a command."""
    together: list[bytes] = []
    common: tuple[int, int] | None = None

    def command() -> Command:
        assert common is not None  # noqa: S101 (for the type checker: ids came with it)
        at, count = common
        tail = (b"TIME", b"%d" % at, b"RETRYCOUNT", b"%d" % count, b"FORCE", b"JUSTID")
        return (*head, *together, *tail)

    for _ in range(window.length()):
        window.release()
        raw = window.take(_ID_BYTES)
        delivery = pending.delivery(raw)
        if together and (delivery != common or len(together) == CLAIMED_AT_ONCE):
            yield command()
            together.clear()
        common = delivery
        together.append(_raw_id(raw))
    if together:
        yield command()


class _Pending:
    """A group's pending entries, 32 bytes each: when each was delivered, and how often."""

    def __init__(self, window: Window) -> None:
        self._ids = bytearray()
        self._times = bytearray()
        self._counts = bytearray()
        for _ in range(window.length()):
            window.release()
            self._ids += window.take(_ID_BYTES)
            self._times += window.take(8)
            self._counts += window.length().to_bytes(8, "little")

    def __len__(self) -> int:
        return len(self._times) // 8

    def __getitem__(self, index: int) -> bytes:
        return bytes(self._ids[index * _ID_BYTES : (index + 1) * _ID_BYTES])

    def delivery(self, raw: bytes) -> tuple[int, int]:
        """Milliseconds and count of the pending entry with this id: servers write them in order."""
        index = bisect_left(self, raw)
        if index == len(self) or self[index] != raw:
            raise BadPacking("a consumer's pending entry that its group doesn't have")
        place = slice(index * 8, index * 8 + 8)
        return int.from_bytes(self._times[place], "little"), int.from_bytes(self._counts[place], "little")
