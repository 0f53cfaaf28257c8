"""Reading an RDB stream entry by entry, in bounded memory, with its checksum.

Knows the format and nothing of where the bytes come from or what becomes of them. Nothing that was read
may be used before the iteration has ended without an error: the checksum is the stream's last word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from autobot_ops.rdb import layout
from autobot_ops.rdb.content import read_string, whole
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.errors import (
    ChecksumMismatch,
    ChecksumMissing,
    MalformedRecord,
    NotAnRdb,
    TrailingBytes,
    TruncatedRdb,
    UnknownOpcode,
    UnsupportedVersion,
)
from autobot_ops.rdb.layout import LENGTH, MODULE, ONE_STRING, STRING, Dialect
from autobot_ops.rdb.skipping import BadEncoding, find_end, pass_over, read_length, string_end
from autobot_ops.rdb.window import CHUNK_BYTES, LONGEST_STRING, Sink, Source, Window

# What precedes a key (attributes, type, its length) always fits into this.
_SMALLEST_CHUNK = 64
_ATTRIBUTES = frozenset({layout.EXPIRES_MILLISECONDS, layout.EXPIRES_SECONDS, layout.IDLE, layout.FREQUENCY})


class Router(Protocol):
    """Where the raw bytes of the stream's parts go; None drops them."""

    def database(self, number: int, /) -> Sink | None:
        """For all that follows of this database: its selection, resize hint, entries with their expiry."""
        ...

    def instance(self) -> Sink | None:
        """For what belongs to no database: function libraries, modules' auxiliary data."""
        ...


class Taker(Protocol):
    """Somebody who takes entries straight from the bytes."""

    def take(self, data: bytes, position: int, /) -> int:
        """Take what stands at `position`, and as much behind it as possible; where that ends."""
        ...


class Reader:
    """Iterate over it, once and to the end, to get the entries of an RDB stream.

    Raises DamagedRdb and UnsupportedRdb by the names in `errors`. What it learns on the way: `dialect`,
    `version` and `fields` (the auxiliary ones) before the first entry; `resize_hints` (database number →
    keys and keys with expiry, as the server announced them), `function_libraries`, `module_fields`.

    Where `taker` is set, it gives somebody for each database number who is offered what stands in memory
    first: what they take isn't yielded.
    """

    def __init__(
        self,
        source: Source,
        *,
        router: Router | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        accept_missing_checksum: bool = False,
    ) -> None:
        self.window = Window(source, max(chunk_bytes, _SMALLEST_CHUNK))
        self.dialect: Dialect = layout.REDIS
        self.version = 0
        self.header = b""
        self.fields: dict[bytes, bytes] = {}
        self.resize_hints: dict[int, tuple[int, int]] = {}
        self.function_libraries = 0
        self.module_fields = 0
        self.taker: Callable[[int], Taker] | None = None
        self._database: int | None = None
        self._router = router
        self._accept_missing_checksum = accept_missing_checksum

    @property
    def began_at(self) -> int:
        """When the server began to write this, in milliseconds (its field ctime); 0 where it doesn't say."""
        text = self.fields.get(b"ctime", b"")
        return int(text) * 1000 if text.isdigit() else 0

    def redirect(self, sink: Sink | None) -> None:
        """From the record under way on, raw bytes go to `sink`, until the next database begins.

        For a consumer that chooses entries: to be called before anything of the value was read.
        """
        self.window.hand_over(self.window.start)
        self.window.sink = sink

    def __iter__(self) -> Iterator[Entry]:  # noqa: PLR0912, PLR0915 (calls per key would halve the speed)
        self._read_header()
        window, types = self.window, self.dialect.types
        entry = Entry(window, self.dialect)
        while True:
            data = window.data
            start = at = window.start = window.position
            if start == len(data):
                window.refill()
                continue
            code = data[start]
            if code >= layout.FIRST_OPCODE and code not in _ATTRIBUTES:
                if code == layout.END:
                    self._read_end()
                    return
                self._read_record(code)
                continue
            number = self._selected(code)
            if self.taker is not None:
                window.position = self.taker(number).take(data, start)
                if window.position > start:
                    continue

            value_at = 0
            expires_at = None
            try:
                if code >= layout.FIRST_OPCODE:
                    code, at, expires_at = _read_attributes(data, start)
                value_layout = types[code].layout
                at += 1
                first = data[at]
                if first < 0x40:
                    value_at = at + 1 + first
                    key = data[at + 1 : value_at]
                else:
                    key, value_at = whole(data, at)
                if value_layout is ONE_STRING:
                    first = data[value_at]
                    if first < 0x40:
                        end = value_at + 1 + first
                    elif first < 0x80:
                        end = value_at + 2 + ((first & 0x3F) << 8 | data[value_at + 1])
                    else:
                        end = string_end(data, value_at)
                else:
                    end = find_end(data, value_at, value_layout)
            except IndexError:
                end = len(data) + 1
            except KeyError:
                raise self._unknown(code, at) from None
            except BadEncoding as error:
                raise error.as_damage(window.base) from error

            whole_entry = end <= len(data)
            if whole_entry or (0 < value_at <= len(data) and len(data) - start >= window.chunk_bytes):
                window.position = value_at
                entry.database = number
                entry.key = key
                entry.code = code
                entry.expires_at = expires_at
                entry.offset = window.base + start
                entry.data = data
                entry.value_at = value_at
                if whole_entry:
                    entry.end = end
                    yield entry
                    window.position = end
                else:
                    entry.end = 0
                    entry.pending = True
                    yield entry
                    entry.finish()
            elif len(data) - start < window.chunk_bytes:
                window.refill()
            else:
                self._refill_for_key(data, at)

    def _refill_for_key(self, data: bytes, at: int) -> None:
        """A key longer than the buffer: the one thing that is held as a whole, whatever its size."""
        missing = string_end(data, at) - len(data)
        if missing > LONGEST_STRING:
            raise MalformedRecord(f"a key of {missing} bytes", offset=self.window.base + at)
        self.window.refill(max(1, missing))

    def _selected(self, code: int) -> int:
        """The database that the record under way belongs to; without one, it would get into no file."""
        if self._database is None:
            if code not in self.dialect.types and code not in layout.OPCODE_NAMES:
                # Of a version to come, which may have more in front of the first database.
                raise self._unknown(code, self.window.start)
            raise MalformedRecord(
                f"record {code} comes before any database was selected",
                offset=self.window.base + self.window.start,
            )
        return self._database

    def _unknown(self, code: int, position: int) -> UnknownOpcode:
        known = layout.OPCODE_NAMES.get(code)
        what = f"record {code} ({known})" if known else f"unknown record or value type {code}"
        return UnknownOpcode(
            f"{what} in {self.dialect.name} rdb {self.version}", offset=self.window.base + position
        )

    def _read_header(self) -> None:
        try:
            header = self.window.take(layout.HEADER_BYTES)
        except TruncatedRdb as error:
            raise NotAnRdb("not even a header", offset=error.offset) from error
        for dialect in layout.DIALECTS:
            digits = header.removeprefix(dialect.magic)
            if len(digits) < len(header) and digits.isdigit():
                self.dialect, self.version, self.header = dialect, int(digits), header
                break
        else:
            raise NotAnRdb(f"no rdb begins with {header!r}", offset=0)
        if self.version not in self.dialect.versions:
            raise UnsupportedVersion(
                f"{self.dialect.name} rdb version {self.version} is not supported", offset=0
            )

    def _read_record(self, code: int) -> None:
        """A record that is no entry, at the window's start."""
        window = self.window
        window.position += 1
        if code == layout.SELECT:
            self._database = window.length()
            self.redirect(self._router.database(self._database) if self._router else None)
        elif code == layout.RESIZE:
            self.resize_hints[self._selected(code)] = (window.length(), window.length())
        elif code == layout.SLOT_INFO:
            self._selected(code)
            for _ in range(3):
                window.length()
        elif code == layout.AUXILIARY:
            with self._aside(None):
                name, value = self._read_field(), self._read_field()
            self.fields[name] = value
        elif code == layout.FUNCTION:
            self.function_libraries += 1
            with self._aside(self._router.instance() if self._router else None):
                pass_over(window, (STRING,))
        elif code == layout.MODULE_AUXILIARY:
            self.module_fields += 1
            with self._aside(self._router.instance() if self._router else None):
                pass_over(window, (LENGTH, MODULE))
        else:
            raise self._unknown(code, window.start)

    @contextmanager
    def _aside(self, sink: Sink | None) -> Iterator[None]:
        """Send the record under way, and nothing else, to `sink`."""
        former = self.window.sink
        self.redirect(sink)
        yield
        self.window.hand_over(self.window.position)
        self.window.sink = former

    def _read_field(self) -> bytes:
        text = read_string(self.window)
        if not isinstance(text, bytes):
            raise MalformedRecord("an auxiliary field of unusual length", offset=self.window.offset)
        return text

    def _read_end(self) -> None:
        window = self.window
        self.redirect(None)
        window.position += 1
        window.hand_over(window.position)
        computed = window.checksum
        window.release()
        try:
            written = int.from_bytes(window.take(layout.CHECKSUM_BYTES), "little")
        except TruncatedRdb as error:
            raise TruncatedRdb("the checksum is cut off", offset=error.offset) from error
        if written == 0 and computed != 0:
            if not self._accept_missing_checksum:
                raise ChecksumMissing(
                    "the server wrote no checksum",
                    offset=window.offset,
                    hint="Start the server with `rdbchecksum yes`, its default: damage goes unseen without.",
                )
        elif written != computed:
            raise ChecksumMismatch(
                f"the checksum is {computed:016x} and should be {written:016x}", offset=window.offset
            )
        if not window.at_end():
            raise TrailingBytes("more bytes follow the checksum", offset=window.offset)


def _read_attributes(data: bytes, position: int) -> tuple[int, int, int | None]:
    """What precedes a type: the type, where it stands, and the expiry; IndexError where `data` ends."""
    expires_at = None
    while (code := data[position]) in _ATTRIBUTES:
        if code == layout.EXPIRES_MILLISECONDS:
            expires_at = int.from_bytes(data[position + 1 : position + 9], "little", signed=True)
            position += 9
        elif code == layout.EXPIRES_SECONDS:
            expires_at = int.from_bytes(data[position + 1 : position + 5], "little", signed=True) * 1000
            position += 5
        elif code == layout.FREQUENCY:
            position += 2
        else:
            position = read_length(data, position + 1)[1]
    return code, position, expires_at
