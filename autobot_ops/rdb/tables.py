"""Big hash tables, fast: the sum of their records' digests, straight from the bytes of the file.

A record that isn't compressed stands there in its plain form already. Three million records a second.
"""

from __future__ import annotations

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.canonical import plain_form
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.grammar import plain_records, stored_records
from autobot_ops.rdb.tokens import plain_of
from autobot_ops.rdb.window import Window

_SCORE_BYTES = 8
_MINUS_ZERO = bytes(7) + b"\x80"
_STORED_AT_ONCE = 1000
# Looked at in one go, so that a table that ends soon costs no more than it has.
_BYTES_A_RECORD = 64


def table_sum(window: Window, count: int, strings: int, *, scored: bool) -> int:
    """The sum over `count` records of so many strings each and, if `scored`, eight bytes of score."""
    table = _Table(window, strings, scored=scored)
    while count:
        count -= table.take_plain(count) or table.take_stored(min(count, _STORED_AT_ONCE)) or table.take_odd()
    return table.total


class _Table:
    """The records under way. What takes them says how many it took, and adds up their digests."""

    def __init__(self, window: Window, strings: int, *, scored: bool) -> None:
        self.total = 0
        self._window = window
        self._strings = strings
        self._scored = scored
        self._plain = plain_records(strings, scored=scored)

    def take_plain(self, most: int) -> int:
        """Those that are stored uncompressed, as far as they stand in memory."""
        position = self._window.position
        records = self._plain.findall(self._window.data, position, position + most * _BYTES_A_RECORD)
        del records[most:]
        if records and not records[-1]:
            records.pop()
        self._window.position += sum(map(len, records))
        self._add(records)
        return len(records)

    def take_stored(self, most: int) -> int:
        """Usual ones, compressed or not."""
        position = self._window.position
        pattern = stored_records(self._strings, scored=self._scored)
        found = pattern.findall(self._window.data, position, position + most * _BYTES_A_RECORD)
        del found[most:]
        if found and not found[-1][0]:
            found.pop()
        self._window.position += sum(sum(map(len, parts)) for parts in found)
        self._add([b"".join(map(plain_form, strings)) + rest for *strings, rest in found])
        return len(found)

    def take_odd(self) -> int:
        """One that is neither, or not all in memory."""
        window = self._window
        parts = [plain_of(read_string(window)) for _ in range(self._strings)]
        if self._scored:
            parts.append(window.take(_SCORE_BYTES))
        self._add([b"".join(parts)])
        return 1

    def _add(self, records: list[bytes]) -> None:
        if self._scored:
            # -0 becomes 0, as everywhere.
            records = [
                each[:-_SCORE_BYTES] + bytes(_SCORE_BYTES) if each.endswith(_MINUS_ZERO) else each
                for each in records
            ]
        self.total += sum(map(xxh3_128_intdigest, records))
        self._window.release()
