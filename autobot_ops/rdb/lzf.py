"""LZF, the compression of strings in RDB files: decoding only, whole or in bounded memory.

The format (M. Lehmann's liblzf): a control byte below 32 is followed by that many and one literal bytes;
any other holds a length (three bits, 7 = one more byte follows) and, with the byte after, how far back
in the last 8 KiB of the output to copy from.

Servers don't compress deterministically: the compressor's table starts with whatever the previous
string left in it. So equal values may differ in their compressed bytes, and only the plain ones compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

REACH = 8192
"""How far back a copy may reach: what has to be kept of the output."""


class BadCompression(ValueError):
    """Bytes that no compressor wrote."""


def decompress(packed: bytes, plain_length: int) -> bytes:
    """The plain bytes; BadCompression where they aren't `plain_length` or a copy reaches too far back."""
    plain = bytearray()
    consumed = _decode(packed, plain, plain_length)
    if consumed != len(packed) or len(plain) != plain_length:
        raise BadCompression("compressed bytes that don't give the length they promise")
    return bytes(plain)


def decompress_pieces(packed: Iterable[bytes], plain_length: int, piece_bytes: int) -> Iterator[bytes]:
    """The same for a string of any size: takes and gives pieces, keeps `REACH` bytes."""
    plain = bytearray()
    given = kept = 0
    rest = b""
    for piece in packed:
        rest += piece
        while True:
            before = len(plain)
            consumed = _decode(rest, plain, kept + piece_bytes)
            rest = rest[consumed:]
            given += len(plain) - before
            if given > plain_length:
                raise BadCompression("compressed bytes that give more than they promise")
            if len(plain) > kept:
                yield bytes(plain[kept:])
            del plain[:-REACH]
            kept = len(plain)
            if not consumed:
                break
    if rest or given != plain_length:
        raise BadCompression("compressed bytes that don't give the length they promise")


def _decode(packed: bytes, plain: bytearray, until: int) -> int:
    """Decode whole steps from `packed` until `plain` has `until` bytes or more; the bytes consumed."""
    position = 0
    end = len(packed)
    length = len(plain)
    while position < end and length < until:
        control = packed[position]
        if control < 32:
            following = position + control + 2
            if following > end:
                break
            plain += packed[position + 1 : following]
            length += control + 1
            position = following
            continue
        size = control >> 5
        if size == 7:
            if position + 3 > end:
                break
            size += packed[position + 1]
            position += 1
        elif position + 2 > end:
            break
        source = length - ((control & 31) << 8) - packed[position + 1] - 1
        if source < 0:
            raise BadCompression("a copy from before the beginning")
        size += 2
        if source + size <= length:
            plain += plain[source : source + size]
        else:
            # The copy overlaps what it writes: the last bytes repeat.
            pattern = plain[source:]
            plain += (pattern * (size // len(pattern) + 1))[:size]
        length += size
        position += 2
    return position
