"""The canonical forms of usual values, quickly: small, in memory, in the encodings that most keys have.

For speed only, some five times that of `forms`, which gives the same for every value (a property test
holds them together). Each function takes the serialised value's place and returns None for what it leaves
to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from autobot_ops.rdb.canonical import MOST_RECORDS
from autobot_ops.rdb.content import LARGE, short
from autobot_ops.rdb.packed import listpack_body, listpack_records
from autobot_ops.rdb.skipping import read_length, string_end
from autobot_ops.rdb.tokens import (
    LISTPACK_HEADER,
    STEPS,
    BadPacking,
    binary_score,
    long_step,
    score_of,
    score_token,
    token,
)

QuickForm = Callable[[bytes, int], "bytes | None"]


def _string(data: bytes, position: int) -> bytes | None:
    text = short(data, position)
    return None if text is None else b"=" + text


def _list(data: bytes, position: int) -> bytes | None:
    # One node (the length 1), and it is a listpack (the container 2).
    if data[position] != 1 or data[position + 1] != 2:
        return None
    blob = short(data, position + 2)
    return None if blob is None else b"=" + listpack_body(blob)


def _bag(data: bytes, position: int, width: int) -> bytes | None:
    blob = short(data, position)
    if blob is None:
        return None
    records = listpack_records(blob, width)
    if len(records) > MOST_RECORDS:
        return None
    records.sort()
    return b"=" + b"".join(records)


def _set(data: bytes, position: int) -> bytes | None:
    return _bag(data, position, 1)


def _hash(data: bytes, position: int) -> bytes | None:
    return _bag(data, position, 2)


def _sorted_set(data: bytes, position: int) -> bytes | None:
    blob = short(data, position)
    if blob is None:
        return None
    listpack_body(blob)
    end = len(blob) - 1
    steps = STEPS
    records = []
    position = LISTPACK_HEADER
    try:
        while position < end:
            at = position + (steps[blob[position]] or long_step(blob, position))
            first = blob[at]
            after = at + (steps[first] or long_step(blob, at))
            if first < 0x80 or 0xC0 <= first < 0xE0:
                # A small integer is written in one way only.
                records.append(blob[position:after])
            else:
                records.append(blob[position:at] + score_token(score_of(blob[at:after])))
            position = after
    except IndexError as error:
        raise BadPacking("a listpack that ends in an element") from error
    if position != end or len(records) > MOST_RECORDS:
        return None
    records.sort()
    return b"=" + b"".join(records)


_HEADS = tuple(bytes((0x80 | length,)) for length in range(0x40))
_TAILS = tuple(bytes((length + 1,)) for length in range(0x40))


def _table(data: bytes, position: int, strings: int, *, scored: bool = False) -> bytes | None:
    count, position = read_length(data, position)
    if count > MOST_RECORDS:
        return None
    records = []
    size = 0
    for _ in range(count):
        record = b""
        for _ in range(strings):
            first = data[position]
            if 0 < first < 0x40 and data[position + 1] > 0x39:
                # Neither an integer nor long: the common case, without a call.
                after = position + 1 + first
                record += _HEADS[first] + data[position + 1 : after] + _TAILS[first]
                position = after
            else:
                text = short(data, position)
                if text is None:
                    return None
                record += token(text)
                position = string_end(data, position)
        if scored:
            record += score_token(binary_score(data[position : position + 8]))
            position += 8
        size += len(record)
        records.append(record)
    if size > LARGE:
        return None
    records.sort()
    return b"=" + b"".join(records)


def _set_table(data: bytes, position: int) -> bytes | None:
    return _table(data, position, 1)


def _hash_table(data: bytes, position: int) -> bytes | None:
    return _table(data, position, 2)


def _sorted_set_table(data: bytes, position: int) -> bytes | None:
    return _table(data, position, 1, scored=True)


QUICK_FORMS: Mapping[int, QuickForm] = MappingProxyType(
    {
        0: _string,
        2: _set_table,
        4: _hash_table,
        5: _sorted_set_table,
        16: _hash,
        17: _sorted_set,
        18: _list,
        20: _set,
    }
)
