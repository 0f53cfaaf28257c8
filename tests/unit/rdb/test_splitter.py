"""The splitter: one valid file per database with exactly that database's bytes, or no valid file at all."""

from __future__ import annotations

from io import BytesIO

import pytest

from autobot_ops.rdb.errors import ChecksumMissing, DamagedRdb, MalformedRecord, UnsupportedRdb
from autobot_ops.rdb.layout import DIALECTS, REDIS, Dialect
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import RdbWriter, Splitter
from tests import rdb_bytes as b
from tests.unit.rdb.samples import every_type

chunk_sizes = pytest.mark.parametrize("chunk", [64, 300, 1 << 18])


class Shelf:
    """Outputs in memory, by database number; the instance's is None."""

    def __init__(self) -> None:
        self.outputs: dict[int | None, BytesIO] = {}

    def database(self, number: int) -> BytesIO:
        return self.outputs.setdefault(number, BytesIO())

    def instance(self) -> BytesIO:
        return self.outputs.setdefault(None, BytesIO())


def split(data: bytes, chunk: int = 1 << 18) -> tuple[Splitter, dict[int | None, bytes]]:
    shelf = Shelf()
    splitter = Splitter(BytesIO(data), shelf.database, shelf.instance, chunk_bytes=chunk)
    splitter.run()
    return splitter, {number: output.getvalue() for number, output in shelf.outputs.items()}


def contents(data: bytes) -> list[tuple[int, bytes, int, int | None, bytes | None]]:
    return [
        (entry.database, entry.key, entry.code, entry.expires_at, entry.value)
        for entry in Reader(BytesIO(data))
    ]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@chunk_sizes
def test_each_file_has_exactly_its_database(dialect: Dialect, chunk: int) -> None:
    data, _ = every_type(dialect, 12 if dialect is REDIS else 80)
    _, files = split(data, chunk)
    assert set(files) == {3, 15, None}
    assert contents(files[3]) == [each for each in contents(data) if each[0] == 3]
    assert contents(files[15]) == [each for each in contents(data) if each[0] == 15]


@chunk_sizes
def test_keeps_the_header_and_the_fields_that_stay_true(chunk: int) -> None:
    data, _ = every_type()
    _, files = split(data, chunk)
    for content in files.values():
        reader = Reader(BytesIO(content))
        list(reader)
        assert reader.header == b"REDIS0012"
        assert reader.fields == {b"redis-ver": b"7.0.15", b"redis-bits": b"64", b"ctime": b"1700000000"}


def test_keeps_the_resize_hints_of_the_stream() -> None:
    data, _ = every_type()
    reader = Reader(BytesIO(split(data)[1][15]))
    list(reader)
    assert reader.resize_hints == {15: (1, 1)}


@chunk_sizes
def test_what_belongs_to_the_instance_has_its_own_file(chunk: int) -> None:
    data, _ = every_type()
    _, files = split(data, chunk)
    by_name: dict[int | None, tuple[int, int]] = {}
    for name, content in files.items():
        reader = Reader(BytesIO(content))
        list(reader)
        by_name[name] = (reader.function_libraries, reader.module_fields)
    assert by_name == {3: (0, 0), 15: (0, 0), None: (1, 2)}


def test_databases_that_nobody_wants_are_counted_and_dropped() -> None:
    data, expected = every_type()
    output = BytesIO()
    splitter = Splitter(BytesIO(data), lambda number: output if number == 15 else None)
    splitter.run()
    assert contents(output.getvalue()) == [each for each in contents(data) if each[0] == 15]
    assert splitter.summaries[3].keys == len(expected) - 1
    assert set(splitter.writers) == {15}


@chunk_sizes
def test_counts_what_went_by(chunk: int) -> None:
    data, expected = every_type()
    splitter, files = split(data, chunk)
    summary = splitter.summaries[3]
    here = [each for each in expected if each.database == 3]
    assert summary.keys == len(here)
    assert summary.keys_with_expiry == sum(each.expires_at is not None for each in here)
    assert summary.size == sum(entry.finish() for entry in Reader(BytesIO(files[3])))
    sizes = sorted(((entry.finish(), entry.key) for entry in Reader(BytesIO(files[3]))), reverse=True)
    assert [(each.size, each.key) for each in summary.largest] == sizes[:10]
    assert splitter.writers[3].size == len(files[3])


def test_nothing_is_valid_after_any_damage() -> None:
    data, _ = every_type()
    for place in range(0, len(data), 3):
        for damaged in (data[:place], data[:place] + bytes((data[place] ^ 0x10,)) + data[place + 1 :]):
            shelf = Shelf()
            splitter = Splitter(BytesIO(damaged), shelf.database, shelf.instance, chunk_bytes=100)
            with pytest.raises((DamagedRdb, UnsupportedRdb)):
                splitter.run()
            for output in shelf.outputs.values():
                with pytest.raises((DamagedRdb, UnsupportedRdb)):
                    contents(output.getvalue())


def test_a_database_that_comes_in_two_parts_stays_one_file() -> None:
    first, second, third = (b.entry(b"key%d" % number, 0, b.raw(b"value")) for number in range(3))
    _, files = split(b.rdb(b.select(1), first, b.select(2), second, b.select(1), third))
    assert [each[1] for each in contents(files[1])] == [b"key0", b"key2"]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 300, 20_000])
def test_a_field_of_any_length_is_written_as_it_can_be_read(size: int) -> None:
    output, fields = BytesIO(), {b"redis-ver": b"7" * size}
    RdbWriter(output, b"REDIS0012", fields).finish()
    reader = Reader(BytesIO(output.getvalue()))
    assert list(reader) == []
    assert reader.fields == fields


def test_a_database_without_keys_gets_a_valid_file_too() -> None:
    data, _ = every_type()
    splitter, _ = split(data)
    output = BytesIO()
    splitter.add_empty(9, output)
    assert contents(output.getvalue()) == []
    reader = Reader(BytesIO(output.getvalue()))
    list(reader)
    assert reader.fields[b"redis-ver"] == b"7.0.15"
    assert splitter.writers[9].size == len(output.getvalue())


def test_keys_before_any_selection_are_refused_whoever_counts_them() -> None:
    """They would be counted for database 0, and stand in no file."""
    data = b.rdb(b.entry(b"key", 0, b.raw(b"value")), b.select(0), b.entry(b"other", 0, b.raw(b"value")))
    for read in (Splitter.run, Splitter.run_counting):
        shelf = Shelf()
        splitter = Splitter(BytesIO(data), shelf.database)
        with pytest.raises(MalformedRecord, match=r"before any database was selected \(byte 9\)"):
            read(splitter)
        assert (splitter.summaries, shelf.outputs) == ({}, {})


def test_counting_fills_the_same_summaries() -> None:
    data, _ = every_type()
    splitter = Splitter(BytesIO(data), lambda _: None)
    counts = splitter.run_counting()
    assert splitter.summaries == {number: count.summary for number, count in counts.items()}
    assert set(counts) == {3, 15}


def test_a_stream_without_checksum_is_split_only_when_told() -> None:
    data = b.rdb(b.select(1), b.entry(b"key", 0, b.raw(b"value")), checksum=False)
    with pytest.raises(ChecksumMissing):
        split(data)
    splitter = Splitter(BytesIO(data), lambda _: BytesIO(), accept_missing_checksum=True)
    splitter.run()
    assert splitter.summaries[1].keys == 1


def test_holds_as_much_as_it_is_told() -> None:
    assert Splitter(BytesIO(), lambda _: None, chunk_bytes=300).reader.window.chunk_bytes == 300
