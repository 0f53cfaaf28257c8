"""The canonical forms of usual values, quickly: small, in memory, in the encodings that most keys have.

For speed only, some ten times that of `forms`, which gives the same for every value (a property test
holds them together). Each function returns None for what it leaves to the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from autobot_ops.rdb.canonical import MOST_RECORDS, plain_form
from autobot_ops.rdb.content import LARGE, short, whole
from autobot_ops.rdb.grammar import listpack_scores, scored_strings, stored_strings
from autobot_ops.rdb.layout import STRING
from autobot_ops.rdb.packed import INTSET_FORMATS, INTSET_HEADER, listpack_body, listpack_records
from autobot_ops.rdb.quick_streams import walk_stream
from autobot_ops.rdb.skipping import read_length, skip_records
from autobot_ops.rdb.tokens import (
    LISTPACK_HEADER,
    BadPacking,
    number_of,
    plain,
    plain_integer,
    plain_token,
    token,
)

PackedForm = Callable[[bytes], "bytes | None"]
"""From a packed value."""
QuickForm = Callable[[bytes, int, int], "bytes | None"]
"""From a serialised value: where it stands, and where it ends."""
Walk = Callable[[bytes, int], "tuple[bytes, int] | None"]
"""From a serialised value whose end isn't known: form and end; IndexError where `data` ends first."""

_COMPRESSED = 0xC3
_pack_score = struct.Struct("<d").pack
_unpack_score = struct.Struct("<d").unpack


def _bag(records: list[bytes]) -> bytes | None:
    if len(records) > MOST_RECORDS:
        return None
    records.sort()
    form = b"=" + b"".join(records)
    return form if len(form) <= LARGE else None


def _list(blob: bytes) -> bytes:
    return b"=" + listpack_body(blob)


def _hash(blob: bytes) -> bytes | None:
    return _bag(listpack_records(blob, 2))


def _set(blob: bytes) -> bytes | None:
    return _bag([plain_token(each) for each in listpack_records(blob, 1)])


def _set_of_integers(blob: bytes) -> bytes | None:
    if len(blob) < INTSET_HEADER:
        return None
    size, count = struct.unpack_from("<II", blob)
    if size not in INTSET_FORMATS or len(blob) != INTSET_HEADER + size * count:
        return None
    numbers = struct.unpack_from(f"<{count}{INTSET_FORMATS[size]}", blob, INTSET_HEADER)
    return _bag(list(map(plain_integer, numbers)))


def _sorted_set(blob: bytes) -> bytes | None:
    listpack_body(blob)
    found = listpack_scores().findall(blob, LISTPACK_HEADER, len(blob) - 1)
    if found and not found[-1][0]:
        return None
    try:
        # -0 becomes 0, as everywhere.
        records = [
            member + _pack_score((float(text[1:-1]) if text else number_of(number)) + 0.0)
            for member, text, number in found
        ]
    except ValueError as error:
        raise BadPacking("a sorted set's score that is no number") from error
    return _bag(records)


PACKED_FORMS: Mapping[int, PackedForm] = MappingProxyType(
    {11: _set_of_integers, 16: _hash, 17: _sorted_set, 18: _list, 20: _set}
)
"""By value type; for 18 the listpack of a list's only node."""


def _string(data: bytes, position: int, _: int) -> bytes | None:
    text = short(data, position)
    return None if text is None else plain(text)


def _list_in_one_node(data: bytes, position: int, _: int) -> bytes | None:
    # One node (the length 1), and it is a listpack (the container 2).
    if data[position] != 1 or data[position + 1] != 2:
        return None
    blob = short(data, position + 2)
    return None if blob is None else _list(blob)


def _packed(form: PackedForm) -> QuickForm:
    def quick(data: bytes, position: int, _: int) -> bytes | None:
        blob = short(data, position)
        return None if blob is None else form(blob)

    return quick


def _is_small(count: int, size: int) -> bool:
    return 0 < count <= MOST_RECORDS and size <= LARGE


def _walk_set(data: bytes, position: int) -> tuple[bytes, int] | None:
    count, position = read_length(data, position)
    end, left = skip_records(data, position, min(count, MOST_RECORDS), (STRING,))
    if left:
        raise IndexError
    if not _is_small(count, end - position):
        return None
    members = stored_strings().findall(data, position, end)
    if len(members) != count or not members[-1]:
        return None
    form = _bag([plain_form(each) if each[0] == _COMPRESSED else each for each in members])
    return None if form is None else (form, end)


WALKS: Mapping[int, Walk] = MappingProxyType({2: _walk_set, 19: walk_stream(2), 21: walk_stream(3)})


def _walked(walk: Walk) -> QuickForm:
    def quick(data: bytes, position: int, end: int) -> bytes | None:
        found = walk(data, position)
        return found[0] if found is not None and found[1] == end else None

    return quick


_HEADS = tuple(bytes((0x80 | length,)) for length in range(0x40))
_TAILS = tuple(bytes((length + 1,)) for length in range(0x40))


def _token(stored: bytes) -> bytes:
    length = stored[0]
    if 0 < length < 0x40 and stored[1] > 0x39:
        # Neither an integer nor long: the common case.
        return _HEADS[length] + stored[1:] + _TAILS[length]
    return token(whole(stored, 0)[0])


def _hash_table(data: bytes, position: int, end: int) -> bytes | None:
    count, position = read_length(data, position)
    if not _is_small(count, end - position):
        return None
    strings = stored_strings().findall(data, position, end)
    if len(strings) != 2 * count or not strings[-1]:
        return None
    tokens = map(_token, strings)
    return _bag([name + next(tokens) for name in tokens])


def _sorted_set_table(data: bytes, position: int, end: int) -> bytes | None:
    count, position = read_length(data, position)
    if not _is_small(count, end - position):
        return None
    pairs = scored_strings().findall(data, position, end)
    if len(pairs) != count or not pairs[-1][0]:
        return None
    return _bag([_token(member) + _pack_score(_unpack_score(score)[0] + 0.0) for member, score in pairs])


QUICK_FORMS: Mapping[int, QuickForm] = MappingProxyType(
    {
        0: _string,
        4: _hash_table,
        5: _sorted_set_table,
        18: _list_in_one_node,
        **{code: _walked(walk) for code, walk in WALKS.items()},
        **{code: _packed(form) for code, form in PACKED_FORMS.items() if code != 18},
    }
)
