"""Writing RDB bytes by hand, for tests: the counterpart of autobot_ops.rdb, kept apart from it.

Only what a test needs to say which bytes a server would write; no limits, no speed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from autobot_ops.rdb.checksum import crc64

Text = bytes


def length(number: int) -> bytes:
    """A length-encoded number, in the shortest form."""
    if number < 1 << 6:
        return bytes((number,))
    if number < 1 << 14:
        return bytes((0x40 | number >> 8, number & 0xFF))
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def raw(text: Text) -> bytes:
    """A string as it is."""
    return length(len(text)) + text


def string(text: Text) -> bytes:
    """A string as a server writes it without compression."""
    if len(text) <= 11 and text.lstrip(b"-").isdigit() and b"%d" % int(text) == text:
        for code, size in ((0xC0, 1), (0xC1, 2), (0xC2, 4)):
            if -(1 << 8 * size - 1) <= int(text) < 1 << 8 * size - 1:
                return bytes((code,)) + int(text).to_bytes(size, "little", signed=True)
    return raw(text)


def lzf(text: Text) -> bytes:
    """The string, compressed."""
    packed = lzf_pack(text)
    return b"\xc3" + length(len(packed)) + length(len(text)) + packed


def lzf_pack(text: Text) -> bytes:
    """A plain, greedy LZF compressor."""
    out, literal, position = bytearray(), bytearray(), 0
    seen: dict[bytes, int] = {}

    def flush() -> None:
        for start in range(0, len(literal), 32):
            part = literal[start : start + 32]
            out.append(len(part) - 1)
            out.extend(part)
        literal.clear()

    while position < len(text):
        triple = text[position : position + 3]
        former = seen.get(triple) if len(triple) == 3 else None
        seen[triple] = position
        if former is None or position - former > 8192:
            literal.append(text[position])
            position += 1
            continue
        size = 3
        while size < 264 and position + size < len(text) and text[former + size] == text[position + size]:
            size += 1
        flush()
        back = position - former - 1
        if size - 2 < 7:
            out.append((size - 2) << 5 | back >> 8)
        else:
            out += bytes((7 << 5 | back >> 8, size - 2 - 7))
        out.append(back & 0xFF)
        position += size
    flush()
    return bytes(out)


def as_integer(text: Text) -> int | None:
    """What the server takes for a 64-bit integer."""
    if len(text) <= 20 and text.removeprefix(b"-").isdigit() and b"%d" % int(text) == text:
        return int(text) if -(1 << 63) <= int(text) < 1 << 63 else None
    return None


def listpack_element(text: Text) -> bytes:
    """One element of a listpack, its back length included."""
    number = as_integer(text)
    if number is None:
        size = len(text)
        if size < 64:
            body = bytes((0x80 | size,)) + text
        elif size < 4096:
            body = bytes((0xE0 | size >> 8, size & 0xFF)) + text
        else:
            body = b"\xf0" + size.to_bytes(4, "little") + text
    elif 0 <= number < 128:
        body = bytes((number,))
    elif -4096 <= number < 4096:
        body = (0xC000 | number & 0x1FFF).to_bytes(2, "big")
    else:
        code, size = next(
            (code, size)
            for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8))
            if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1
        )
        body = bytes((code,)) + number.to_bytes(size, "little", signed=True)
    # The length backwards: seven bits a byte, all but the last byte read have the top bit set.
    limits = (128, 16383, 2097151, 268435455)
    count = next((index + 1 for index, limit in enumerate(limits) if len(body) < limit), 5)
    groups = [len(body) >> 7 * index & 0x7F for index in range(count)]
    back = [group | (0x80 if index < count - 1 else 0) for index, group in enumerate(groups)]
    return body + bytes(reversed(back))


def listpack(elements: Iterable[Text]) -> bytes:
    """A listpack."""
    parts = [listpack_element(each) for each in elements]
    body = b"".join(parts)
    return struct.pack("<IH", len(body) + 7, min(len(parts), 0xFFFF)) + body + b"\xff"


def ziplist(elements: Iterable[Text]) -> bytes:
    """A ziplist."""
    parts: list[bytes] = []
    for text in elements:
        before = len(parts[-1]) if parts else 0
        head = bytes((before,)) if before < 254 else b"\xfe" + before.to_bytes(4, "little")
        number = as_integer(text) if len(text) < 32 else None
        size = len(text)
        if number is None:
            if size < 64:
                head += bytes((size,))
            elif size < 1 << 14:
                head += bytes((0x40 | size >> 8, size & 0xFF))
            else:
                head += b"\x80" + size.to_bytes(4, "big")
            parts.append(head + text)
        elif 0 <= number <= 12:
            parts.append(head + bytes((0xF1 + number,)))
        else:
            code, size = next(
                (code, size)
                for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8))
                if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1
            )
            parts.append(head + bytes((code,)) + number.to_bytes(size, "little", signed=True))
    body = b"".join(parts)
    tail = 10 + len(body) - (len(parts[-1]) if parts else 0)
    return struct.pack("<IIH", len(body) + 11, tail, min(len(parts), 0xFFFF)) + body + b"\xff"


def intset(numbers: Iterable[int]) -> bytes:
    """A set of integers."""
    ordered = sorted(numbers)
    widest = max((abs(each) for each in ordered), default=0)
    size = 2 if widest < 1 << 15 else 4 if widest < 1 << 31 else 8
    return struct.pack("<II", size, len(ordered)) + b"".join(
        each.to_bytes(size, "little", signed=True) for each in ordered
    )


def milliseconds(number: int) -> bytes:
    """A time as eight bytes."""
    return number.to_bytes(8, "little", signed=True)


def auxiliary(name: Text, value: Text) -> bytes:
    """An auxiliary field."""
    return b"\xfa" + string(name) + string(value)


def select(number: int, keys: int = 0, expiring: int = 0) -> bytes:
    """The beginning of a database, with its resize hint."""
    return b"\xfe" + length(number) + b"\xfb" + length(keys) + length(expiring)


def entry(key: Text, code: int, value: bytes, *, expires_at: int | None = None, prefix: bytes = b"") -> bytes:
    """A key with its serialised value."""
    expiry = b"" if expires_at is None else b"\xfc" + milliseconds(expires_at)
    return expiry + prefix + bytes((code,)) + string(key) + value


def rdb(*records: bytes, header: bytes = b"REDIS0010", checksum: bool = True) -> bytes:
    """A whole file: header, records, end mark, checksum."""
    body = header + b"".join(records) + b"\xff"
    return body + (crc64(body) if checksum else 0).to_bytes(8, "little")


def counted(records: Sequence[bytes]) -> bytes:
    """A length and so many records."""
    return length(len(records)) + b"".join(records)
