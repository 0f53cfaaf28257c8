"""The canonical form of a stream: its entries, last id, counters, groups and pending entries.

How the entries are cut into nodes doesn't count, nor do entries that are only marked as deleted, nor when
a consumer was seen. Format: rdbSaveObject in src/rdb.c, streamAppendItem in src/t_stream.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autobot_ops.rdb.canonical import run_form
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.packed import open_listpack
from autobot_ops.rdb.tokens import BadPacking, number_of, token_of
from autobot_ops.rdb.window import Window

ID_BYTES = 16
_DELETED, _SAME_FIELDS = 1, 2
ENTRY, COUNTERS, GROUP, PENDING, CONSUMER = b"\xf8", b"\xf9", b"\xfa", b"\xfb", b"\xfc"


def stream_form(version: int) -> Callable[[Window], bytes]:
    """The function for version 1 (type 15), 2 (type 19) or 3 (type 21) of the layout."""
    return lambda window: run_form(_parts(window, version))


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _numbers(window: Window, count: int) -> list[int]:
    return [window.length() for _ in range(count)]


def _parts(window: Window, version: int) -> Iterator[bytes]:
    for _ in range(window.length()):
        window.release()
        yield from _node(window)
    length, *last = _numbers(window, 3)
    if version == 1:
        # What a server of 7.0 or later makes of it on loading.
        deleted, added = [0, 0], length
    else:
        _first_ms, _first_sequence, *deleted, added = _numbers(window, 5)
    yield COUNTERS + b"".join(map(_number, (length, *last, *deleted, added)))
    for _ in range(window.length()):
        window.release()
        yield from _group(window, version)


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


def _group(window: Window, version: int) -> Iterator[bytes]:
    name = token_of(read_string(window))
    # Version 1 has no count of entries read; the loading server estimates one.
    yield GROUP + name + b"".join(map(_number, _numbers(window, 2 if version == 1 else 3)))
    for _ in range(window.length()):
        window.release()
        # Entry id and delivery time, as they are.
        yield PENDING + window.take(ID_BYTES + 8) + _number(window.length())
    for _ in range(window.length()):
        window.release()
        yield CONSUMER + token_of(read_string(window))
        window.take(8 if version < 3 else 16)
        for _ in range(window.length()):
            window.release()
            yield PENDING + window.take(ID_BYTES)
