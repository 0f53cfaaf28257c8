"""Cutting one stream into one standard RDB file per database, by copying raw ranges.

A database's file has the stream's header, its descriptive fields, everything from the selection of the
database to the next one, the end mark and a checksum of its own; any server that can read the stream's
version can load it. Function libraries and modules' auxiliary data belong to no database: they go into
one more file, for the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.counting import DatabaseCount
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.layout import AUXILIARY, CHECKSUM_BYTES, END
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.summary import Summary
from autobot_ops.rdb.window import CHUNK_BYTES, Sink, Source

# Fields that stay true in a part of the stream. Left out: used-mem (the whole instance's), aof-base, and
# the repl-* fields, with which a server that loads the file would claim the original's replication history.
_KEPT_FIELDS = (b"redis-ver", b"valkey-ver", b"redis-bits", b"ctime")


class Output(Protocol):
    """What a file is written to: anything with `write`, which must take all that it gets."""

    def write(self, data: bytes, /) -> object:
        """Take the bytes."""
        ...


class RdbWriter:
    """One RDB file in the making. Without `finish` it has no end mark and no server loads it."""

    def __init__(self, output: Output, header: bytes, fields: dict[bytes, bytes]) -> None:
        self._output = output
        self._checksum = 0
        self.size = 0
        self.write(header + b"".join(_encode_field(*each) for each in fields.items()))

    def write(self, data: bytes) -> None:
        """Append raw bytes of the stream."""
        self._checksum = crc64(data, self._checksum)
        self.size += len(data)
        self._output.write(data)

    def finish(self) -> None:
        """Write the end mark and the checksum; closing or syncing the output is its owner's business."""
        self.write(bytes([END]))
        self._output.write(self._checksum.to_bytes(CHECKSUM_BYTES, "little"))
        self.size += CHECKSUM_BYTES


class Splitter:
    """Reads a stream to its end and writes a file for each database that somebody wants.

    `open_database(number)` is called when a database begins and gives its output, or None to drop it;
    `open_instance()`, if given, likewise, when the first record of the instance comes. Iterate over the
    splitter, or call `run`; `summaries` (by database number, the dropped ones too) fill on the way. The
    end marks are written after the stream's checksum agreed: if this raises, no output is a valid RDB, and
    until then every number and name is unproven.
    """

    def __init__(
        self,
        source: Source,
        open_database: Callable[[int], Output | None],
        open_instance: Callable[[], Output | None] | None = None,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        accept_missing_checksum: bool = False,
    ) -> None:
        self.reader = Reader(
            source, router=self, chunk_bytes=chunk_bytes, accept_missing_checksum=accept_missing_checksum
        )
        self.summaries: dict[int, Summary] = {}
        self.writers: dict[int, RdbWriter] = {}
        self.instance_writer: RdbWriter | None = None
        self._open_database = open_database
        self._open_instance = open_instance

    def database(self, number: int) -> Sink | None:
        """For the reader: where the bytes of this database go."""
        if number not in self.summaries:
            self.summaries[number] = Summary()
            output = self._open_database(number)
            if output is not None:
                self.writers[number] = self._writer(output)
        writer = self.writers.get(number)
        return writer.write if writer else None

    def instance(self) -> Sink | None:
        """For the reader: where the bytes of the whole instance go."""
        if self.instance_writer is None and self._open_instance is not None:
            output = self._open_instance()
            if output is not None:
                self.instance_writer = self._writer(output)
        return self.instance_writer.write if self.instance_writer else None

    def __iter__(self) -> Iterator[Entry]:
        summaries = self.summaries
        for entry in self.reader:
            yield entry
            summaries[entry.database].add(entry)
        self.finish()

    def run(self) -> None:
        """Read to the end, looking at no entry."""
        for _ in self:
            pass

    def run_counting(self) -> dict[int, DatabaseCount]:
        """Read to the end, with the fingerprint of every database: by its number."""
        counts: dict[int, DatabaseCount] = {}

        def count_of(number: int) -> DatabaseCount:
            if number not in counts:
                digests = KeyDigests(self.reader.dialect)
                counts[number] = DatabaseCount(digests, self.reader.began_at)
                self.summaries[number] = counts[number].summary
            return counts[number]

        self.reader.taker = count_of
        for entry in self.reader:
            count_of(entry.database).add(entry)
        self.finish()
        return counts

    def add_empty(self, number: int, output: Output) -> None:
        """A file for a database without keys, of which a stream says nothing; after the stream's end."""
        writer = self.writers[number] = self._writer(output)
        writer.finish()

    def finish(self) -> None:
        """Write the end marks; for whoever reads `reader` themselves, when it has ended without error."""
        for writer in self.writers.values():
            writer.finish()
        if self.instance_writer is not None:
            self.instance_writer.finish()

    def _writer(self, output: Output) -> RdbWriter:
        known = self.reader.fields
        return RdbWriter(
            output, self.reader.header, {name: known[name] for name in _KEPT_FIELDS if name in known}
        )


def _encode_field(name: bytes, value: bytes) -> bytes:
    """An auxiliary field; both strings are short by their nature."""
    return bytes([AUXILIARY]) + _encode_string(name) + _encode_string(value)


def _encode_string(text: bytes) -> bytes:
    if len(text) < 0x40:
        return bytes([len(text)]) + text
    return b"\x80" + len(text).to_bytes(4, "big") + text
