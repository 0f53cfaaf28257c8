"""Big hash tables, fast: the sum of their records' digests, straight from the bytes of the file.

A record that isn't compressed stands there in its plain form already. Half a million records a second.
"""

from __future__ import annotations

from hashlib import blake2b

from autobot_ops.rdb.canonical import digest_number
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.tokens import DIGEST_BYTES, binary_score, plain_of, score_bytes
from autobot_ops.rdb.window import Window

_SCORE_BYTES = 8
_MINUS_ZERO = bytes(7) + b"\x80"
_INTEGER_STEPS = {0xC0: 2, 0xC1: 3, 0xC2: 5}


def table_sum(window: Window, count: int, strings: int, *, scored: bool) -> int:
    """The sum over `count` records of so many strings each and, if `scored`, eight bytes of score."""
    total = 0
    while count:
        window.position, count, part = _sum_plain(window.data, window.position, count, strings, scored=scored)
        window.release()
        total += part
        if count:
            total += digest_number(_record(window, strings, scored=scored))
            count -= 1
    return total


def _record(window: Window, strings: int, *, scored: bool) -> bytes:
    """The plain form of the record at the window's position, however it is stored."""
    parts = [plain_of(read_string(window)) for _ in range(strings)]
    if scored:
        parts.append(score_bytes(binary_score(window.take(_SCORE_BYTES))))
    return b"".join(parts)


def _sum_plain(data: bytes, position: int, count: int, strings: int, *, scored: bool) -> tuple[int, int, int]:
    """As far as records stand in `data` in their plain form: (where they end, how many are left, the sum)."""
    limit = len(data)
    total = 0
    left = count
    try:
        for left in range(count, 0, -1):  # noqa: B007 (what is left when the loop ends early)
            at = position
            for _ in range(strings):
                first = data[at]
                if first < 0x40:
                    at += 1 + first
                elif first < 0x80:
                    at += 2 + ((first & 0x3F) << 8 | data[at + 1])
                else:
                    # A KeyError where the string is compressed, long, or none at all.
                    at += _INTEGER_STEPS[first]
            if scored:
                at += _SCORE_BYTES
                if data[at - 1] == 0x80 and data[at - _SCORE_BYTES : at] == _MINUS_ZERO:
                    break
            if at > limit:
                break
            digest = blake2b(data[position:at], digest_size=DIGEST_BYTES).digest()
            total += int.from_bytes(digest, "little")
            position = at
        else:
            left = 0
    except (IndexError, KeyError):
        pass
    return position, left, total
