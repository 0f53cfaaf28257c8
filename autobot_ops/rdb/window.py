"""A bounded view of a long run of bytes: one chunk at a time, with the checksum of all that went by.

Memory is about two chunks at any size of value; only a key larger than that is held as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.errors import MalformedRecord, TruncatedRdb

CHUNK_BYTES = 256 * 1024
LONGEST_STRING = 512 * 1024 * 1024
"""The servers' own limit for one string (`proto-max-bulk-len`); keys beyond it are damage."""

Sink: TypeAlias = Callable[[bytes], object]


class Source(Protocol):
    """What bytes come from: a file opened for reading, or a ReplicationStream."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Window:
    """Bytes of a source around the place that is being read.

    `data[position]` is the next byte. `start` is where the record under way begins: what lies before
    it is handed over (to the checksum, and to `sink` where one is set) and forgotten on `refill`.
    """

    __slots__ = (
        "_given",
        "_source",
        "base",
        "checksum",
        "chunk_bytes",
        "data",
        "position",
        "sink",
        "start",
        "tee",
    )

    def __init__(self, source: Source, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._source = source
        self.chunk_bytes = chunk_bytes
        self.data = b""
        self.base = 0
        self.position = 0
        self.start = 0
        self._given = 0
        self.checksum = 0
        self.sink: Sink | None = None
        self.tee: Sink | None = None

    @property
    def offset(self) -> int:
        """Bytes of the source that lie before the next one."""
        return self.base + self.position

    def hand_over(self, until: int) -> None:
        """Count what lies before `until` (an index of `data`) as done: checksum it, copy it to the sink."""
        if until > self._given:
            done = self.data[self._given : until]
            self.checksum = crc64(done, self.checksum)
            if self.sink is not None:
                self.sink(done)
            if self.tee is not None:
                self.tee(done)
            self._given = until

    def refill(self, at_least: int = 1) -> None:
        """Read on, keeping the record under way; at least `at_least` more bytes, or TruncatedRdb."""
        self.hand_over(self.start)
        pieces = [self.data[self.start :]]
        self.base += self.start
        self.position -= self.start
        self._given -= self.start
        self.start = 0
        missing = at_least
        while missing > 0:
            chunk = self._source.read(max(self.chunk_bytes, missing))
            if not chunk:
                self.data = b"".join(pieces)
                raise TruncatedRdb("the stream ends in the middle", offset=self.base + len(self.data))
            pieces.append(chunk)
            missing -= len(chunk)
        self.data = b"".join(pieces)

    def at_end(self) -> bool:
        """Whether the source has no more bytes."""
        if self.position < len(self.data):
            return False
        self.start = self.position
        try:
            self.refill()
        except TruncatedRdb:
            return True
        return False

    def need(self, size: int) -> None:
        """Make the next `size` bytes stand in `data`."""
        missing = self.position + size - len(self.data)
        if missing > 0:
            self.refill(missing)

    def take(self, size: int) -> bytes:
        """The next `size` bytes, for sizes known to be small."""
        self.need(size)
        position = self.position
        self.position = position + size
        return self.data[position : self.position]

    def release(self) -> None:
        """Let go of what was read so far: a record is being passed through."""
        self.start = self.position

    def pass_over(self, size: int) -> None:
        """Skip `size` bytes of any number, a chunk at a time."""
        while size > (available := len(self.data) - self.position):
            size -= available
            self.position = self.start = len(self.data)
            self.refill()
        self.position += size

    def length(self) -> int:
        """A length-encoded number; an integer-encoded string in its place is damage."""
        number, encoded = self.string_head()
        if encoded:
            raise MalformedRecord("a string where a number belongs", offset=self.offset)
        return number

    def string_head(self) -> tuple[int, bool]:
        """The first bytes of a string: (its length, False), or (the special encoding, True)."""
        self.need(1)
        first = self.data[self.position]
        if first < 0x40:
            self.position += 1
            return first, False
        if first < 0x80:
            self.need(2)
            number = (first & 0x3F) << 8 | self.data[self.position + 1]
            self.position += 2
            return number, False
        if first >= 0xC0:
            self.position += 1
            return first & 0x3F, True
        if first == 0x80:
            return int.from_bytes(self.take(5)[1:], "big"), False
        if first == 0x81:
            return int.from_bytes(self.take(9)[1:], "big"), False
        raise MalformedRecord(f"unknown length encoding {first:#04x}", offset=self.offset)
