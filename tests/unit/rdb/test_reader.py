"""The reader: every record as it was written, at any chunk size, and nothing from a damaged stream."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.errors import (
    ChecksumMismatch,
    ChecksumMissing,
    DamagedRdb,
    MalformedRecord,
    NotAnRdb,
    TrailingBytes,
    TruncatedRdb,
    UnknownOpcode,
    UnsupportedRdb,
    UnsupportedVersion,
)
from autobot_ops.rdb.layout import DIALECTS, FIRST_OPCODE, OPCODE_NAMES, REDIS, VALKEY, Dialect
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes as b
from tests.unit.rdb.samples import Expected, every_type

LATEST = {REDIS: 12, VALKEY: 80}
chunk_sizes = pytest.mark.parametrize("chunk", [1, 2, 5, 64, 300, 1 << 18])
dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


class Trickle:
    """A source that gives a few bytes at a time, as a slow network does."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = BytesIO(data), step

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._step))


def described(entry: Entry) -> Expected:
    pieces: list[bytes] = []
    entry.write_value(pieces.append)
    return Expected(entry.database, entry.key, entry.code, entry.expires_at, b"".join(pieces))


def read_all(data: bytes, chunk: int = 1 << 18) -> Reader:
    reader = Reader(BytesIO(data), chunk_bytes=chunk)
    for _ in reader:
        pass
    return reader


@dialects
@chunk_sizes
def test_gives_every_entry_as_it_was_written(dialect: Dialect, chunk: int) -> None:
    data, expected = every_type(dialect, LATEST[dialect])
    reader = Reader(BytesIO(data), chunk_bytes=chunk)
    assert [described(entry) for entry in reader] == expected
    assert (reader.dialect, reader.version) == (dialect, LATEST[dialect])
    assert reader.fields[b"redis-ver"] == b"7.0.15"
    assert reader.resize_hints == {3: (len(expected) - 1, 2), 15: (1, 1)}
    assert (reader.function_libraries, reader.module_fields) == (1, 2)


@given(st.integers(1, 40), st.integers(1, 400))
def test_gives_them_however_the_bytes_arrive(step: int, chunk: int) -> None:
    data, expected = every_type()
    reader = Reader(Trickle(data, step), chunk_bytes=chunk)
    assert [described(entry) for entry in reader] == expected


@dialects
@chunk_sizes
def test_entries_that_nobody_looks_at_go_by(dialect: Dialect, chunk: int) -> None:
    data, expected = every_type(dialect, LATEST[dialect])
    assert [entry.key for entry in Reader(BytesIO(data), chunk_bytes=chunk)] == [
        each.key for each in expected
    ]


@chunk_sizes
def test_sizes_add_up_to_the_file(chunk: int) -> None:
    data, _ = every_type()
    entries = [(entry.offset, entry.finish()) for entry in Reader(BytesIO(data), chunk_bytes=chunk)]
    assert [data[offset : offset + size] for offset, size in entries] == [
        data[offset : offset + size] for offset, size in _entry_places(data)
    ]


def _entry_places(data: bytes) -> list[tuple[int, int]]:
    # Independent of chunks: with everything in memory.
    return [(entry.offset, entry.finish()) for entry in Reader(BytesIO(data))]


@dialects
def test_refuses_a_file_that_is_cut_off_anywhere(dialect: Dialect) -> None:
    data, _ = every_type(dialect, LATEST[dialect])
    for end in range(len(data)):
        with pytest.raises(NotAnRdb if end < 9 else TruncatedRdb):
            read_all(data[:end], 64)
        with pytest.raises(NotAnRdb if end < 9 else TruncatedRdb):
            read_all(data[:end])


def test_refuses_a_file_with_any_byte_changed() -> None:
    data, _ = every_type()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        with pytest.raises((DamagedRdb, UnsupportedRdb)):
            read_all(bytes(damaged), 100)


@dialects
def test_refuses_every_byte_that_is_no_record_and_no_type(dialect: Dialect) -> None:
    known = set(dialect.types) | (set(OPCODE_NAMES) - {0xF3, 0xF6})
    header = dialect.magic + (b"0012" if dialect is REDIS else b"080")
    for code in sorted(set(range(256)) - known):
        data = b.rdb(b.select(0), b.entry(b"key", code, b.string(b"value")), header=header)
        with pytest.raises(UnknownOpcode, match=rf" {code} .*byte {len(header) + 5}\)") as caught:
            read_all(data)
        assert "redis-cli --rdb" in caught.value.hint
        # The same behind an expiry.
        with pytest.raises(UnknownOpcode if code < FIRST_OPCODE else (UnknownOpcode, MalformedRecord)):
            read_all(b.rdb(b.select(0), b.entry(b"key", code, b"\x01v", expires_at=1), header=header))


@pytest.mark.parametrize("code", [0xF3, 0xF6])
def test_names_a_record_that_is_known_and_refused(code: int) -> None:
    with pytest.raises(UnknownOpcode, match=OPCODE_NAMES[code].replace(".", r"\.")):
        read_all(b.rdb(bytes((code,)) + b.string(b"x")))


@pytest.mark.parametrize("header", [b"REDIS0008", b"REDIS0013", b"REDIS0080", b"VALKEY079", b"VALKEY081"])
def test_refuses_other_versions(header: bytes) -> None:
    with pytest.raises(UnsupportedVersion, match=str(int(header[-3:]))):
        read_all(b.rdb(header=header))


@pytest.mark.parametrize("header", [b"REDIS0009", b"REDIS0010", b"REDIS0011", b"REDIS0012", b"VALKEY080"])
def test_reads_an_empty_file_of_every_supported_version(header: bytes) -> None:
    assert read_all(b.rdb(header=header)).version == int(header[-3:])


@pytest.mark.parametrize("start", [b"", b"REDIS", b"REDIS00x0", b"VALKEYabc", b"PK\x03\x04 something else"])
def test_refuses_what_is_no_rdb(start: bytes) -> None:
    with pytest.raises(NotAnRdb):
        read_all(start)


def test_refuses_a_wrong_checksum() -> None:
    data = bytearray(b.rdb(b.select(0), b.entry(b"key", 0, b.raw(b"value"))))
    data[-10] ^= 1
    with pytest.raises((ChecksumMismatch, DamagedRdb, UnsupportedRdb)):
        read_all(bytes(data))
    data[-10] ^= 1
    data[-12] ^= 1
    with pytest.raises(ChecksumMismatch):
        read_all(bytes(data))


def test_refuses_a_file_without_checksum_unless_told() -> None:
    data = b.rdb(b.select(0), b.entry(b"key", 0, b.raw(b"value")), checksum=False)
    with pytest.raises(ChecksumMissing) as caught:
        read_all(data)
    assert "rdbchecksum" in caught.value.hint
    assert len(list(Reader(BytesIO(data), accept_missing_checksum=True))) == 1


@chunk_sizes
def test_refuses_bytes_behind_the_end(chunk: int) -> None:
    with pytest.raises(TrailingBytes):
        read_all(b.rdb() + b"*1\r\n$4\r\nPING\r\n", chunk)


@chunk_sizes
def test_a_key_longer_than_the_buffer_is_held_as_a_whole(chunk: int) -> None:
    key = bytes(range(256)) * 40
    data = b.rdb(b.select(0), b.entry(key, 0, b.raw(b"value")), b.entry(b"next", 0, b.raw(b"value")))
    assert [entry.key for entry in Reader(BytesIO(data), chunk_bytes=chunk)] == [key, b"next"]


def test_refuses_an_impossible_key_length_instead_of_reading_on() -> None:
    with pytest.raises(MalformedRecord, match="key"):
        read_all(b.rdb(b.select(0), b"\x00\x81" + (1 << 40).to_bytes(8, "big") + bytes(100)), 10)


@pytest.mark.parametrize("size", [0, 63, 64, 65, 255, 256, 300, 16_383, 16_384, 20_000])
def test_a_string_ends_where_its_length_says(size: int) -> None:
    data = b.rdb(b.select(0), b.entry(b"k" * size, 0, b.raw(b"v" * size)), b.entry(b"next", 0, b.raw(b"x")))
    read = [(entry.key, described(entry).value) for entry in Reader(BytesIO(data))]
    assert read == [(b"k" * size, b.raw(b"v" * size)), (b"next", b.raw(b"x"))]


def test_an_expiry_in_seconds_may_lie_before_1970() -> None:
    data = b.rdb(b.select(0), b"\xfd" + struct.pack("<i", -5) + b.entry(b"key", 0, b.raw(b"value")))
    assert [entry.expires_at for entry in Reader(BytesIO(data))] == [-5000]


def test_counts_every_function_library() -> None:
    assert read_all(b.rdb(b"\xf5" + b.raw(b"one"), b"\xf5" + b.raw(b"two"))).function_libraries == 2


@chunk_sizes
def test_chosen_entries_can_be_copied_out(chunk: int) -> None:
    data, expected = every_type()
    reader = Reader(BytesIO(data), chunk_bytes=chunk)
    copied: list[bytes] = []
    chosen = 0
    for entry in reader:
        wanted = entry.code % 2 == 0
        chosen += wanted
        reader.redirect(copied.append if wanted else None)
    assert 0 < chosen < len(expected)
    # The bytes are whole entries: with a header around them they are read back.
    again = Reader(BytesIO(b.rdb(b.select(3), *copied, header=b"REDIS0012")))
    assert [described(entry)[1:] for entry in again] == [each[1:] for each in expected if each.code % 2 == 0]
