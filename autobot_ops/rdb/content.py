"""What a stored string says: plain bytes, whether they were stored as they are, as an integer or packed.

`whole` decodes one that stands in memory, `read_string` one at the window's position, `pieces` one of
any size.
"""

from __future__ import annotations

from collections.abc import Iterator

from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.lzf import BadCompression, decompress, decompress_pieces
from autobot_ops.rdb.skipping import BadEncoding, read_length, string_end
from autobot_ops.rdb.window import Window

LARGE = 64 * 1024
"""Longer strings are handled in pieces, never as a whole."""

_INTEGER_BYTES = (1, 2, 4)
_LZF = 3
_COMPRESSED = 0xC0 + _LZF


def whole(data: bytes, position: int) -> tuple[bytes, int]:
    """The string at `position` and where it ends; IndexError where it isn't all in `data`."""
    first = data[position]
    if first == _COMPRESSED:
        return _decompressed(data, position)
    end = string_end(data, position)
    if end > len(data):
        raise IndexError
    if first < 0x40:
        return data[position + 1 : end], end
    if first < 0x80:
        return data[position + 2 : end], end
    if first < 0xC0:
        return data[read_length(data, position)[1] : end], end
    return b"%d" % int.from_bytes(data[position + 1 : end], "little", signed=True), end


def _decompressed(data: bytes, position: int) -> tuple[bytes, int]:
    # Lengths of one byte and of two are read in place: half of all values are compressed.
    at = position + 1
    packed = data[at]
    if packed < 0x40:
        at += 1
    elif packed < 0x80:
        packed = (packed & 0x3F) << 8 | data[at + 1]
        at += 2
    else:
        packed, at = read_length(data, at)
    plain = data[at]
    if plain < 0x40:
        at += 1
    elif plain < 0x80:
        plain = (plain & 0x3F) << 8 | data[at + 1]
        at += 2
    else:
        plain, at = read_length(data, at)
    end = at + packed
    if end > len(data):
        raise IndexError
    try:
        return decompress(data[at:end], plain), end
    except BadCompression as error:
        raise BadEncoding(str(error), position) from error


def short(data: bytes, position: int) -> bytes | None:
    """The string at `position`, which stands in `data`, unless it is longer than LARGE."""
    first = data[position]
    if first < 0x40:
        return data[position + 1 : position + 1 + first]
    if first < 0x80:
        return data[position + 2 : string_end(data, position)]
    if first == _COMPRESSED:
        _, at = read_length(data, position + 1)
        if read_length(data, at)[0] > LARGE:
            return None
    elif string_end(data, position) - position > LARGE:
        return None
    return whole(data, position)[0]


def read_string(window: Window) -> bytes | LongString:
    """The string at the window's position: its bytes, or, beyond LARGE, something to iterate over once."""
    number, encoded = window.string_head()
    if not encoded:
        if number > LARGE:
            return LongString(window, stored=number, length=number)
        return window.take(number)
    if number < _LZF:
        return b"%d" % int.from_bytes(window.take(_INTEGER_BYTES[number]), "little", signed=True)
    if number != _LZF:
        raise MalformedRecord(f"unknown string encoding {number:#04x}", offset=window.offset)
    stored, plain = window.length(), window.length()
    if max(stored, plain) > LARGE:
        return LongString(window, stored=stored, length=plain, packed=True)
    try:
        return decompress(window.take(stored), plain)
    except BadCompression as error:
        raise MalformedRecord(str(error), offset=window.offset) from error


class LongString:
    """A long string: iterate over it once, to the end, or take it `joined`, before anything else is read."""

    def __init__(self, window: Window, *, stored: int, length: int, packed: bool = False) -> None:
        self._window = window
        self._stored = stored
        self._packed = packed
        self.length = length

    def __iter__(self) -> Iterator[bytes]:
        if not self._packed:
            yield from self._stored_pieces()
            return
        try:
            yield from decompress_pieces(self._stored_pieces(), self.length, LARGE)
        except BadCompression as error:
            raise MalformedRecord(str(error), offset=self._window.offset) from error

    def joined(self) -> bytes:
        """All of it at once, for who needs it whole: quicker, at the price of its size in memory."""
        stored = b"".join(self._stored_pieces())
        if not self._packed:
            return stored
        try:
            return decompress(stored, self.length)
        except BadCompression as error:
            raise MalformedRecord(str(error), offset=self._window.offset) from error

    def _stored_pieces(self) -> Iterator[bytes]:
        window, left = self._window, self._stored
        while left:
            window.release()
            if window.position == len(window.data):
                window.refill()
            size = min(left, LARGE, len(window.data) - window.position)
            left -= size
            yield window.take(size)
