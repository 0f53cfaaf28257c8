"""Walking through packed values: listpacks, ziplists and sets of integers, as tokens.

A value up to LARGE stands in memory and goes the fast way; a larger one is read through a window of its
own, piece by piece. Both give the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from autobot_ops.rdb.content import LARGE, LongString
from autobot_ops.rdb.errors import TruncatedRdb
from autobot_ops.rdb.grammar import listpack_tokens
from autobot_ops.rdb.tokens import (
    LISTPACK_END,
    LISTPACK_HEADER,
    STEPS,
    BadPacking,
    back_length_bytes,
    integer_token,
    long_step,
    long_token,
    token,
)
from autobot_ops.rdb.window import Window

Packed = bytes | LongString

_ZIPLIST_HEADER, _ZIPLIST_END, _ZIPLIST_FAR = 10, 0xFF, 0xFE
_ZIPLIST_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
INTSET_HEADER, INTSET_FORMATS = 8, {2: "h", 4: "i", 8: "q"}


class _Pieces:
    """A LongString as a source for a window."""

    def __init__(self, text: LongString) -> None:
        self._pieces = iter(text)

    def read(self, _: int, /) -> bytes:
        return next(self._pieces, b"")


def _window(blob: Packed) -> Window:
    return Window(BytesIO(blob) if isinstance(blob, bytes) else _Pieces(blob), LARGE)


def listpack_body(blob: bytes) -> bytes:
    """All tokens of a listpack, joined; none of them may be longer than LARGE."""
    if len(blob) <= LISTPACK_HEADER or blob[-1] != LISTPACK_END:
        raise BadPacking("a listpack without its end")
    return blob[LISTPACK_HEADER:-1]


def listpack_records(blob: bytes, width: int) -> list[bytes]:
    """The tokens of a listpack that stands in memory, joined in groups of `width`."""
    end = len(blob) - 1
    if end < LISTPACK_HEADER or blob[end] != LISTPACK_END:
        raise BadPacking("a listpack without its end")
    records: list[bytes] = listpack_tokens(width).findall(blob, LISTPACK_HEADER, end)
    return records if not records or records[-1] else _odd_listpack_records(blob, width)


def _odd_listpack_records(blob: bytes, width: int) -> list[bytes]:
    end = len(blob) - 1
    steps = STEPS
    records = []
    position = LISTPACK_HEADER
    try:
        while position < end:
            at = position
            for _ in range(width):
                at += steps[blob[at]] or long_step(blob, at)
            records.append(blob[position:at])
            position = at
    except IndexError as error:
        raise BadPacking("a listpack that ends in an element") from error
    if position != end:
        raise BadPacking("a listpack that ends in an element")
    return records


def open_listpack(blob: Packed) -> tuple[int, Iterator[bytes]]:
    """A listpack of any size: how many elements it says it has (65535 and more: 65535), and their tokens."""
    if isinstance(blob, bytes):
        return int.from_bytes(blob[4:LISTPACK_HEADER], "little"), iter(listpack_records(blob, 1))
    window = _window(blob)
    return int.from_bytes(_head(window, LISTPACK_HEADER)[4:], "little"), _listpack_tokens(window)


def _head(window: Window, size: int) -> bytes:
    try:
        return window.take(size)
    except TruncatedRdb as error:
        raise BadPacking("a packed value without its head") from error


def _listpack_tokens(window: Window) -> Iterator[bytes]:
    try:
        while True:
            window.release()
            window.need(1)
            first = window.data[window.position]
            if first == LISTPACK_END:
                break
            step = STEPS[first]
            if not step:
                window.need(2 if first < 0xF0 else 5)
                step = long_step(window.data, window.position)
            yield window.take(step) if step <= LARGE else _long_listpack_token(window)
        window.position += 1
        _expect_end(window)
    except TruncatedRdb as error:
        raise BadPacking("a listpack that ends in an element") from error


def _long_listpack_token(window: Window) -> bytes:
    length = int.from_bytes(window.take(5)[1:], "little")
    element = _string_token(window, length)
    window.pass_over(back_length_bytes(5 + length))
    return element


def _string_token(window: Window, length: int) -> bytes:
    """The token of a string of `length` bytes at the window's position."""
    if length <= LARGE:
        return token(window.take(length))
    return long_token(_run(window, length), length)


def _run(window: Window, left: int) -> Iterator[bytes]:
    while left:
        window.release()
        window.need(1)
        size = min(left, len(window.data) - window.position)
        left -= size
        yield window.take(size)


def open_ziplist(blob: Packed) -> tuple[int, Iterator[bytes]]:
    """The same for a ziplist, the listpack's predecessor before 7.0. Format: src/ziplist.c."""
    window = _window(blob)
    return int.from_bytes(_head(window, _ZIPLIST_HEADER)[8:], "little"), _ziplist_tokens(window)


def _ziplist_tokens(window: Window) -> Iterator[bytes]:
    try:
        while True:
            window.release()
            first = window.take(1)[0]
            if first == _ZIPLIST_END:
                break
            if first == _ZIPLIST_FAR:
                window.take(4)
            yield _ziplist_token(window)
        _expect_end(window)
    except TruncatedRdb as error:
        raise BadPacking("a ziplist that ends in an element") from error


def _ziplist_token(window: Window) -> bytes:
    head = window.take(1)[0]
    if head < 0x40:
        return _string_token(window, head)
    if head < 0x80:
        return _string_token(window, (head & 0x3F) << 8 | window.take(1)[0])
    if head < 0xC0:
        return _string_token(window, int.from_bytes(window.take(4), "big"))
    if 0xF1 <= head <= 0xFD:
        return integer_token(head - 0xF1)
    size = _ZIPLIST_INTEGERS.get(head)
    if size is None:
        raise BadPacking(f"no ziplist element begins with {head:#04x}")
    return integer_token(int.from_bytes(window.take(size), "little", signed=True))


def open_intset(blob: Packed) -> tuple[int, Iterator[bytes]]:
    """The same for a set of integers. Format: src/intset.c."""
    window = _window(blob)
    head = _head(window, INTSET_HEADER)
    size, count = int.from_bytes(head[:4], "little"), int.from_bytes(head[4:], "little")
    if size not in INTSET_FORMATS:
        raise BadPacking(f"a set of integers of {size} bytes")
    return count, _intset_tokens(window, size, count)


def _intset_tokens(window: Window, size: int, count: int) -> Iterator[bytes]:
    try:
        for _ in range(count):
            window.release()
            yield integer_token(int.from_bytes(window.take(size), "little", signed=True))
        _expect_end(window)
    except TruncatedRdb as error:
        raise BadPacking("a set of integers that is cut off") from error


def _expect_end(window: Window) -> None:
    if not window.at_end():
        raise BadPacking("a packed value with something behind its end")
