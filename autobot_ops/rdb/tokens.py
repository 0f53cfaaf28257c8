"""Elements of values in one canonical form: the bytes that a listpack holds for them ("tokens").

A listpack encodes an element in exactly one way (the shortest integer form for what reads as an integer,
else a string), so its raw bytes can be compared as they are: a list's tokens, joined, are the same
however its nodes were cut. Elements from other encodings are brought into this form; longer ones than
LARGE are represented by their digest. Format: the listpack specification, src/listpack.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from xxhash import xxh3_128

from autobot_ops.rdb.content import LARGE, LongString

DIGEST_BYTES = 16
LISTPACK_HEADER = 6
LISTPACK_END = 0xFF
LONG = 0xFE
"""First byte of what stands for a long element; neither a token nor a plain string begins with it."""

# First byte of a token → bytes of the whole token; 0 where more bytes tell.
STEPS = tuple(
    2
    if first < 0x80
    else 2 + (first & 0x3F)
    if first < 0xC0
    else 3
    if first < 0xE0
    else {0xF1: 4, 0xF2: 5, 0xF3: 6, 0xF4: 10}.get(first, 0)
    for first in range(256)
)
_INTEGERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
# An integer of more digits than this is no 64-bit one.
_MOST_DIGITS = 20


class BadPacking(ValueError):
    """A packed value that no server writes."""


def back_length_bytes(size: int) -> int:
    """Bytes of the length that ends a token whose first part has `size` bytes."""
    return 1 if size < 128 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5


def string_head(blob: bytes, position: int) -> tuple[int, int]:
    """For a token with a long head: (bytes of the head, bytes of the string). IndexError, BadPacking."""
    first = blob[position]
    if first & 0xF0 == 0xE0:
        return 2, (first & 0x0F) << 8 | blob[position + 1]
    if first == 0xF0:
        blob[position + 4]
        return 5, int.from_bytes(blob[position + 1 : position + 5], "little")
    raise BadPacking(f"no listpack element begins with {first:#04x}")


def long_step(blob: bytes, position: int) -> int:
    """What STEPS says 0 for."""
    head, length = string_head(blob, position)
    return head + length + back_length_bytes(head + length)


def _back_length(size: int) -> bytes:
    count = back_length_bytes(size)
    parts = [size >> 7 * shift & 0x7F | (0x80 if shift < count - 1 else 0) for shift in range(count)]
    return bytes(reversed(parts))


def token(text: bytes) -> bytes:
    """The token of an element; for a long one, its digest."""
    length = len(text)
    if 0 < length <= _MOST_DIGITS and (text[0] == 0x2D or text[0] <= 0x39):
        number = _as_integer(text)
        if number is not None:
            return integer_token(number)
    if length < 0x40:
        return b"%c%b%c" % (0x80 | length, text, length + 1)
    if length > LARGE:
        return long_token((text,), length)
    if length < 0x1000:
        head = bytes((0xE0 | length >> 8, length & 0xFF))
    else:
        head = b"\xf0" + length.to_bytes(4, "little")
    return head + text + _back_length(len(head) + length)


def _as_integer(text: bytes) -> int | None:
    digits = text[1:] if text[0] == 0x2D else text
    if not digits.isdigit() or (digits[0] == 0x30 and len(text) > 1):
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None


def integer_token(number: int) -> bytes:
    """The token of an integer of up to 64 bits."""
    if 0 <= number < 0x80:
        return b"%c\x01" % number
    if -0x1000 <= number < 0x1000:
        return b"%c%c\x02" % (0xC0 | (number & 0x1FFF) >> 8, number & 0xFF)
    for first, size in _INTEGERS.items():
        if -1 << 8 * size - 1 <= number < 1 << 8 * size - 1:
            return bytes((first,)) + number.to_bytes(size, "little", signed=True) + bytes((size + 1,))
    raise BadPacking(f"{number} has more than 64 bits")


def plain(text: bytes) -> bytes:
    """An element as a server writes it into an RDB when it doesn't compress; or its digest."""
    length = len(text)
    if length <= _MOST_DIGITS and text and (text[0] == 0x2D or text[0] <= 0x39):
        number = _as_integer(text)
        if number is not None:
            return plain_integer(number)
    if length < 0x40:
        return b"%c%b" % (length, text)
    if length > LARGE:
        return long_token((text,), length)
    return encode_length(length) + text


def encode_length(number: int) -> bytes:
    """A number as a server writes lengths."""
    if number < 0x40:
        return b"%c" % number
    if number < 0x4000:
        return bytes((0x40 | number >> 8, number & 0xFF))
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def plain_integer(number: int) -> bytes:
    """The plain form of an integer of up to 64 bits."""
    for first, size in enumerate((1, 2, 4), 0xC0):
        if -1 << 8 * size - 1 <= number < 1 << 8 * size - 1:
            return b"%c%b" % (first, number.to_bytes(size, "little", signed=True))
    text = b"%d" % number
    return b"%c%b" % (len(text), text)


def long_token(pieces: Iterable[bytes], length: int) -> bytes:
    """What stands for an element longer than LARGE."""
    digest = xxh3_128()
    for piece in pieces:
        digest.update(piece)
    return b"%c" % LONG + length.to_bytes(8, "little") + digest.digest()


def token_of(text: bytes | LongString) -> bytes:
    """The token of a stored string, whatever its size."""
    if isinstance(text, bytes):
        return token(text)
    return token(b"".join(text)) if text.length <= LARGE else long_token(text, text.length)


def plain_of(text: bytes | LongString) -> bytes:
    """The same for a stored string of any size."""
    if isinstance(text, bytes):
        return plain(text)
    return plain(b"".join(text)) if text.length <= LARGE else long_token(text, text.length)


def plain_token(element: bytes) -> bytes:
    """From an element's token to its plain form."""
    return element if element[0] == LONG else plain(text_of(element))


def number_of(element: bytes) -> int:
    """The integer that a token holds; BadPacking where it holds a string."""
    first = element[0]
    if first < 0x80:
        return first
    if 0xC0 <= first < 0xE0:
        number = (first & 0x1F) << 8 | element[1]
        return number - 0x2000 if number >= 0x1000 else number
    size = _INTEGERS.get(first)
    if size is None:
        raise BadPacking("a string where a listpack should have an integer")
    return int.from_bytes(element[1 : 1 + size], "little", signed=True)


def text_of(element: bytes) -> bytes:
    """The element that a token (not a long one) stands for."""
    first = element[0]
    if 0x80 <= first < 0xC0:
        return element[1 : 1 + (first & 0x3F)]
    if first & 0xF0 == 0xE0 or first == 0xF0:
        head, length = string_head(element, 0)
        return element[head : head + length]
    return b"%d" % number_of(element)


def score_of(element: bytes) -> float:
    """The score that a token holds as text or integer."""
    try:
        return float(text_of(element))
    except ValueError as error:
        raise BadPacking("a sorted set's score that is no number") from error


def binary_score(raw: bytes) -> float:
    """The score of eight bytes."""
    value: float = struct.unpack("<d", raw)[0]
    return value


def score_bytes(score: float) -> bytes:
    """The eight bytes of a score; -0 counts as 0."""
    return struct.pack("<d", score + 0.0)
