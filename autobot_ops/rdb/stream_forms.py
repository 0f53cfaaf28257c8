"""The canonical form of a stream: its entries, last id, counters, groups and pending entries.

How the entries are cut into nodes doesn't count, nor do entries that are only marked as deleted, nor when
a consumer was seen. Format: rdbSaveObject in src/rdb.c, streamAppendItem in src/t_stream.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autobot_ops.rdb.canonical import run_form
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.packed import open_listpack
from autobot_ops.rdb.tokens import BadPacking, encode_length, number_of, plain_of
from autobot_ops.rdb.window import Window

ID_BYTES, TIME_BYTES = 16, 8
_DELETED, _SAME_FIELDS = 1, 2
ENTRY, COUNTERS, GROUP, CONSUMER = b"\xf8", b"\xf9", b"\xfa", b"\xfb"


STREAM_VERSIONS = {15: 1, 19: 2, 21: 3}
"""Version of the layout by value type."""


def stream_form(version: int, *, entries_read: bool = True) -> Callable[[Window], bytes]:
    """The function for a version of the layout; without `entries_read` the groups' counters don't count."""
    return lambda window: run_form(_parts(window, version, entries_read))


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _lengths(window: Window, count: int) -> bytes:
    return b"".join([encode_length(window.length()) for _ in range(count)])


def _parts(window: Window, version: int, entries_read: bool) -> Iterator[bytes]:
    for _ in range(window.length()):
        window.release()
        yield from _node(window)
    length = window.length()
    last = _lengths(window, 2)
    if version == 1:
        # What a server of 7.0 or later makes of it on loading: nothing deleted, all that are there added.
        deleted_and_added = encode_length(0) * 2 + encode_length(length)
    else:
        _first_id = _lengths(window, 2)
        deleted_and_added = _lengths(window, 3)
    yield COUNTERS + encode_length(length) + last + deleted_and_added
    for _ in range(window.length()):
        window.release()
        yield from _group(window, version, entries_read)


def _node(window: Window) -> Iterator[bytes]:
    identity = read_string(window)
    if not isinstance(identity, bytes) or len(identity) != ID_BYTES:
        raise BadPacking("a stream's node without an id")
    base_ms, base_sequence = int.from_bytes(identity[:8], "big"), int.from_bytes(identity[8:], "big")
    _, tokens = open_listpack(read_string(window))
    try:
        entries = number_of(next(tokens)) + number_of(next(tokens))
        names = [next(tokens) for _ in range(number_of(next(tokens)))]
        next(tokens)
        for _ in range(entries):
            flags = number_of(next(tokens))
            ms, sequence = base_ms + number_of(next(tokens)), base_sequence + number_of(next(tokens))
            same_fields = flags & _SAME_FIELDS
            count = len(names) if same_fields else number_of(next(tokens))
            kept = not flags & _DELETED
            if kept:
                yield ENTRY + _number(ms) + _number(sequence) + _number(count)
            for index in range(count):
                pair = (names[index] if same_fields else next(tokens)) + next(tokens)
                if kept:
                    yield pair
            next(tokens)
    except StopIteration:
        raise BadPacking("a stream's node that ends in an entry") from None
    except (OverflowError, IndexError) as error:
        raise BadPacking("a stream's node with an impossible entry") from error
    if next(tokens, None) is not None:
        raise BadPacking("a stream's node with more than its entries")


def _group(window: Window, version: int, entries_read: bool) -> Iterator[bytes]:
    # As it is stored, but for when its consumers were seen.
    name = plain_of(read_string(window))
    # Version 1 has no count of entries read; the loading server estimates one.
    head = GROUP + name + _lengths(window, 2)
    counter = b"" if version == 1 else _lengths(window, 1)
    yield head + counter if entries_read else head
    pending = window.length()
    yield encode_length(pending)
    for _ in range(pending):
        window.release()
        # Entry id, delivery time and count.
        yield window.take(ID_BYTES + TIME_BYTES) + _lengths(window, 1)
    consumers = window.length()
    yield encode_length(consumers)
    for _ in range(consumers):
        window.release()
        yield CONSUMER + plain_of(read_string(window))
        window.take(TIME_BYTES if version < 3 else 2 * TIME_BYTES)
        pending = window.length()
        yield encode_length(pending)
        for _ in range(pending):
            window.release()
            yield window.take(ID_BYTES)
