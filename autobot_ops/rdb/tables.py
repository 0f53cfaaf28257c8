"""Big hash tables, fast: the sum of their records' digests, straight from the bytes of the file.

A record that isn't compressed stands there in its plain form already. Three million records a second.
"""

from __future__ import annotations

from operator import itemgetter

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.canonical import plain_form
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.grammar import table_records
from autobot_ops.rdb.tokens import binary_score, plain_of, score_bytes
from autobot_ops.rdb.window import Window

_FIRST = itemgetter(0)
_SCORE_BYTES = 8
_MINUS_ZERO = bytes(7) + b"\x80"
# Looked at in one go, so that a table that ends soon costs no more than it has.
_BYTES_A_RECORD = 64


def table_sum(window: Window, count: int, strings: int, *, scored: bool) -> int:
    """The sum over `count` records of so many strings each and, if `scored`, eight bytes of score."""
    total = 0
    while count:
        taken, part = _take(window, count, strings, scored=scored)
        if not taken:
            # Odd, or not all in memory.
            taken, part = 1, xxh3_128_intdigest(_record(window, strings, scored=scored))
        window.release()
        count -= taken
        total += part
    return total


def _record(window: Window, strings: int, *, scored: bool) -> bytes:
    """The plain form of the record at the window's position, however it is stored."""
    parts = [plain_of(read_string(window)) for _ in range(strings)]
    if scored:
        parts.append(score_bytes(binary_score(window.take(_SCORE_BYTES))))
    return b"".join(parts)


def _take(window: Window, most: int, strings: int, *, scored: bool) -> tuple[int, int]:
    """As many usual records as stand in memory, up to `most`: how many, and their sum."""
    data, position = window.data, window.position
    found = table_records(strings, scored=scored).findall(data, position, position + most * _BYTES_A_RECORD)
    del found[most:]
    records = list(map(_FIRST, found))
    size = sum(map(len, records))
    if not all(records):
        size += _complete(records, found)
    window.position += size
    if scored and data.find(_MINUS_ZERO, position, position + size) >= 0:
        records = [each[:-_SCORE_BYTES] + score_bytes(binary_score(each[-_SCORE_BYTES:])) for each in records]
    return len(records), sum(map(xxh3_128_intdigest, records))


def _complete(records: list[bytes], found: list[tuple[bytes, ...]]) -> int:
    """Put in the records with compressed strings, and end at what is no usual record; the bytes put in."""
    size = 0
    for index, record in enumerate(records):
        if not record:
            _, *stored, rest = found[index]
            if not stored[0]:
                del records[index:]
                break
            size += sum(map(len, stored)) + len(rest)
            records[index] = b"".join(map(plain_form, stored)) + rest
    return size
