"""Putting files of single databases together into one RDB that a server loads at its start.

The reverse of `splitter`: raw bytes of each file, one after the other, under one header and one checksum.
"""

from __future__ import annotations

from collections.abc import Iterator

from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.errors import NotAnRdb, UnsupportedVersion
from autobot_ops.rdb.layout import DIALECTS, HEADER_BYTES, Dialect
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Output, RdbWriter
from autobot_ops.rdb.window import Sink, Source


class Merger:
    """Takes files with `add`, ends with `finish`; without that no server loads the output.

    `header` is that of the newest of the files. A file with another family's header, or a later version,
    is refused (UnsupportedVersion): its bytes would be read wrongly.
    """

    def __init__(self, output: Output, header: bytes) -> None:
        self.dialect = _dialect_of(header)
        self._writer = RdbWriter(output, header, {})
        self._header = header

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._writer.size

    def add(self, source: Source) -> Iterator[Entry]:
        """Copy a file; its entries go by, to be looked at or not. To be iterated over to the end."""
        reader = Reader(source, router=self)
        for entry in reader:
            self._check(reader)
            yield entry
        self._check(reader)

    def _check(self, reader: Reader) -> None:
        if reader.dialect is not self.dialect or reader.header > self._header:
            raise UnsupportedVersion(
                f"a file of {reader.header.decode()} can't be joined with those of {self._header.decode()}",
                offset=HEADER_BYTES,
            )

    def database(self, _: int) -> Sink:
        """For the reader: everything goes to the one output."""
        return self._writer.write

    def instance(self) -> Sink:
        """For the reader: function libraries too."""
        return self._writer.write

    def finish(self) -> None:
        """Write the end mark and the checksum."""
        self._writer.finish()


def _dialect_of(header: bytes) -> Dialect:
    for dialect in DIALECTS:
        if header.startswith(dialect.magic):
            return dialect
    raise NotAnRdb(f"no rdb begins with {header!r}", offset=0)
