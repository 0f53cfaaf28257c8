"""LZF, the compression of strings in RDB files: decoding only, whole or in bounded memory.

The format (M. Lehmann's liblzf): a control byte below 32 is followed by that many and one literal bytes;
any other holds a length (three bits, 7 = one more byte follows) and, with the byte after, how far back
in the last 8 KiB of the output to copy from.

Whether and how a string is compressed depends on the server's settings and build, so only plain bytes
compare. Pure Python decodes 10 to 25 MB of text a second; where the system has liblzf (Debian: liblzf1,
which redis-tools brings along), whole strings go through that, some thirty times as fast.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator

REACH = 8192
"""How far back a copy may reach: what has to be kept of the output."""


class BadCompression(ValueError):
    """Bytes that no compressor wrote."""


Decompress = Callable[[bytes, int], bytes]


def decompress_in_python(packed: bytes, plain_length: int) -> bytes:
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


def load_native() -> Decompress | None:
    """The same by the system's liblzf, which checks its bounds; None where there is none."""
    try:
        # PyDLL keeps the interpreter's lock: giving it up for a microsecond would cost five milliseconds
        # where another thread waits for it.
        function = ctypes.PyDLL("liblzf.so.1").lzf_decompress
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_char_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_uint

    def decompress_natively(packed: bytes, plain_length: int) -> bytes:
        if not packed or plain_length < 2:
            # It would read a first byte that isn't there, 0 is its sign of an error too, and short bytes
            # objects are shared.
            return decompress_in_python(packed, plain_length)
        # Filled before anybody else sees it, as the C interface's PyBytes_FromStringAndSize has it.
        plain = bytes(plain_length)
        if function(packed, len(packed), plain, plain_length) != plain_length:
            raise BadCompression("compressed bytes that don't give the length they promise")
        return plain

    return decompress_natively


decompress: Decompress = load_native() or decompress_in_python
