"""What a database's entries add up to: keys, keys with expiry, bytes, and the largest ones."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.layout import Kind

LARGEST = 10


class LargeKey(NamedTuple):
    """One of a database's largest keys; `size` is that of the entry in the RDB, in bytes."""

    size: int
    key: bytes
    kind: Kind


class Summary:
    """Counts of one database; memory doesn't grow with the number of keys."""

    __slots__ = ("_heap", "keys", "keys_with_expiry", "least", "size")

    def __init__(self) -> None:
        self.keys = 0
        self.keys_with_expiry = 0
        self.size = 0
        self._heap: list[LargeKey] = []
        self.least = -1

    def add(self, entry: Entry) -> None:
        """Count an entry; to be called when its value has been read or may go by."""
        size = entry.finish()
        self.keys += 1
        self.size += size
        if entry.expires_at is not None:
            self.keys_with_expiry += 1
        if size > self.least:
            self.keep(LargeKey(size, entry.key, entry.kind))

    def keep(self, key: LargeKey) -> None:
        """Take a key larger than `least` among the largest."""
        heapq.heappush(self._heap, key)
        if len(self._heap) > LARGEST:
            heapq.heappop(self._heap)
            self.least = self._heap[0].size

    @property
    def largest(self) -> list[LargeKey]:
        """The largest keys, the largest first."""
        return sorted(self._heap, reverse=True)
