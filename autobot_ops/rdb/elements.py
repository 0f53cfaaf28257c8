"""The elements of a value as a user knows them: their own bytes, scores and expiries, in the file's order.

`tokens` and `packed` serve comparison and stand digests in for long elements; who wants to write a value
again needs every byte. Memory: one element, or one packed node (by default 8 KiB, or a single longer
element), at any size of value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from autobot_ops.rdb.content import LongString, read_string, whole
from autobot_ops.rdb.packed import listpack_records
from autobot_ops.rdb.tokens import BadPacking, binary_score, number_of, text_of
from autobot_ops.rdb.window import Window

Elements = Callable[[Window], Iterator[bytes]]
Unpack = Callable[[bytes], Iterator[bytes]]
ScoredMembers = Callable[[Window], Iterator[tuple[bytes, float]]]
Fields = Callable[[Window], Iterator[tuple[bytes, bytes, int]]]
"""Name, value, and the absolute expiry in milliseconds, 0 for none."""

_PACKED_NODE = 2
_ZIPLIST_HEADER, _ZIPLIST_END, _ZIPLIST_FAR = 10, 0xFF, 0xFE
_ZIPLIST_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
_INTSET_HEADER, _INTSET_SIZES = 8, (2, 4, 8)
_TEXT_SCORES = {253: float("nan"), 254: float("inf"), 255: float("-inf")}


def whole_string(window: Window) -> bytes:
    """The string at the window's position, all of it."""
    text = read_string(window)
    return text.joined() if isinstance(text, LongString) else text


def _each(window: Window, count: int) -> Iterator[None]:
    for _ in range(count):
        window.release()
        yield


def unpack_listpack(blob: bytes) -> Iterator[bytes]:
    """The elements of a listpack."""
    return map(text_of, listpack_records(blob, 1))


def unpack_ziplist(blob: bytes) -> Iterator[bytes]:
    """The elements of a ziplist, the listpack's predecessor before 7.0. Format: src/ziplist.c."""
    position = _ZIPLIST_HEADER
    try:
        while (first := blob[position]) != _ZIPLIST_END:
            position += 5 if first == _ZIPLIST_FAR else 1
            head = blob[position]
            position += 1
            if head < 0xC0:
                if head < 0x40:
                    length = head
                elif head < 0x80:
                    length, position = (head & 0x3F) << 8 | blob[position], position + 1
                else:
                    length, position = int.from_bytes(blob[position : position + 4], "big"), position + 4
                element = blob[position : position + length]
            elif 0xF1 <= head <= 0xFD:
                length, element = 0, b"%d" % (head - 0xF1)
            elif head in _ZIPLIST_INTEGERS:
                length = _ZIPLIST_INTEGERS[head]
                number = int.from_bytes(blob[position : position + length], "little", signed=True)
                element = b"%d" % number
            else:
                raise BadPacking(f"no ziplist element begins with {head:#04x}")
            position += length
            yield element
    except IndexError as error:
        raise BadPacking("a ziplist that ends in an element") from error
    if position != len(blob) - 1:
        raise BadPacking("a packed value with something behind its end")


def unpack_intset(blob: bytes) -> Iterator[bytes]:
    """The members of a set of integers. Format: src/intset.c."""
    size, count = int.from_bytes(blob[:4], "little"), int.from_bytes(blob[4:_INTSET_HEADER], "little")
    if size not in _INTSET_SIZES or len(blob) != _INTSET_HEADER + size * count:
        raise BadPacking("a set of integers of an impossible size")
    for at in range(_INTSET_HEADER, len(blob), size):
        yield b"%d" % int.from_bytes(blob[at : at + size], "little", signed=True)


def _groups(elements: Iterator[bytes], width: int) -> Iterator[tuple[bytes, ...]]:
    try:
        yield from zip(*(elements,) * width, strict=True)
    except ValueError as error:
        raise BadPacking("a packed value with half a record") from error


def _strings(window: Window) -> Iterator[bytes]:
    return _strings_ahead(window, window.length())


def _strings_ahead(window: Window, count: int) -> Iterator[bytes]:
    """So many strings: as far as they stand in memory straight from there, which is thrice as fast."""
    while count:
        window.release()
        found, window.position = _strings_in(window.data, window.position, count)
        if found:
            count -= len(found)
            yield from found
        else:
            count -= 1
            yield whole_string(window)


def _strings_in(data: bytes, position: int, most: int) -> tuple[list[bytes], int]:
    """Up to `most` strings that are all in `data`, and where they end."""
    found: list[bytes] = []
    limit = len(data)
    try:
        while len(found) < most:
            first = data[position]
            if first < 0x40:
                end = position + 1 + first
                text = data[position + 1 : end]
            elif first < 0x80:
                end = position + 2 + ((first & 0x3F) << 8 | data[position + 1])
                text = data[position + 2 : end]
            else:
                text, end = whole(data, position)
            if end > limit:
                break
            found.append(text)
            position = end
    except IndexError:
        pass
    return found, position


def _packed(unpack: Unpack) -> Elements:
    return lambda window: unpack(whole_string(window))


def _list_of_ziplists(window: Window) -> Iterator[bytes]:
    for _ in _each(window, window.length()):
        yield from unpack_ziplist(whole_string(window))


def _list_of_listpacks(window: Window) -> Iterator[bytes]:
    for _ in _each(window, window.length()):
        if window.length() == _PACKED_NODE:
            yield from unpack_listpack(whole_string(window))
        else:
            yield whole_string(window)


def _score(text: bytes) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadPacking("a sorted set's score that is no number") from error


def _scored(window: Window) -> Iterator[tuple[bytes, float]]:
    count = window.length()
    while count:
        window.release()
        found, window.position = _scored_in_memory(window.data, window.position, count)
        if found:
            count -= len(found)
            yield from found
        else:
            count -= 1
            yield whole_string(window), binary_score(window.take(8))


def _scored_in_memory(data: bytes, position: int, most: int) -> tuple[list[tuple[bytes, float]], int]:
    """As _strings_in, each followed by eight bytes of score."""
    found: list[tuple[bytes, float]] = []
    limit = len(data)
    try:
        while len(found) < most:
            first = data[position]
            if first < 0x40:
                end = position + 1 + first
                member = data[position + 1 : end]
            else:
                member, end = whole(data, position)
            if end + 8 > limit:
                break
            found.append((member, binary_score(data[end : end + 8])))
            position = end + 8
    except IndexError:
        pass
    return found, position


def _scored_in_text(window: Window) -> Iterator[tuple[bytes, float]]:
    for _ in _each(window, window.length()):
        member = whole_string(window)
        length = window.take(1)[0]
        yield member, _TEXT_SCORES[length] if length in _TEXT_SCORES else _score(window.take(length))


def _scored_in(unpack: Unpack) -> ScoredMembers:
    return lambda window: (
        (member, _score(score)) for member, score in _groups(unpack(whole_string(window)), 2)
    )


def _fields(window: Window) -> Iterator[tuple[bytes, bytes, int]]:
    strings = _strings_ahead(window, 2 * window.length())
    for name, value in zip(strings, strings, strict=True):
        yield name, value, 0


def _fields_in(unpack: Unpack) -> Fields:
    return lambda window: ((name, value, 0) for name, value in _groups(unpack(whole_string(window)), 2))


def _time(window: Window) -> int:
    return int.from_bytes(window.take(8), "little", signed=True)


def _fields_with_ttl(window: Window) -> Iterator[tuple[bytes, bytes, int]]:
    return _fields_with_relative_ttl(window, _time(window) - 1)


def _fields_with_relative_ttl(window: Window, base: int = 0) -> Iterator[tuple[bytes, bytes, int]]:
    for _ in _each(window, window.length()):
        ttl = window.length()
        yield whole_string(window), whole_string(window), ttl + base if ttl else 0


def _fields_in_listpack_with_ttl(window: Window) -> Iterator[tuple[bytes, bytes, int]]:
    _time(window)  # The least of the expiries, which come again with their fields.
    return _fields_in_listpack_with_absolute_ttl(window)


def _fields_in_listpack_with_absolute_ttl(window: Window) -> Iterator[tuple[bytes, bytes, int]]:
    tokens = iter(listpack_records(whole_string(window), 1))
    for name, value, expires_at in _groups(tokens, 3):
        yield text_of(name), text_of(value), number_of(expires_at)


def fields_with_expiry(window: Window) -> Iterator[tuple[bytes, bytes, int]]:
    """Valkey's type 22."""
    for _ in _each(window, window.length()):
        name, value = whole_string(window), whole_string(window)
        yield name, value, max(0, _time(window))


LISTS: Mapping[int, Elements] = MappingProxyType(
    {1: _strings, 10: _packed(unpack_ziplist), 14: _list_of_ziplists, 18: _list_of_listpacks}
)
SETS: Mapping[int, Elements] = MappingProxyType(
    {2: _strings, 11: _packed(unpack_intset), 20: _packed(unpack_listpack)}
)
SORTED_SETS: Mapping[int, ScoredMembers] = MappingProxyType(
    {3: _scored_in_text, 5: _scored, 12: _scored_in(unpack_ziplist), 17: _scored_in(unpack_listpack)}
)
HASHES: Mapping[int, Fields] = MappingProxyType(
    {
        4: _fields,
        13: _fields_in(unpack_ziplist),
        16: _fields_in(unpack_listpack),
        22: _fields_with_relative_ttl,
        23: _fields_in_listpack_with_absolute_ttl,
        24: _fields_with_ttl,
        25: _fields_in_listpack_with_ttl,
    }
)
"""Redis' meaning of the types; `fields_with_expiry` is Valkey's of type 22."""
