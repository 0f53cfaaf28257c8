"""Taking a stream: a file for each wanted database and the truth about it, or nothing that is whole."""

from __future__ import annotations

import random
from io import BytesIO

import pytest

from autobot_ops.backup.stream_copy import CopiedStream, copy_stream
from autobot_ops.rdb.errors import DamagedRdb, StreamEndedEarly, UnsupportedRdb
from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes as b
from tests.unit.rdb.samples import every_type


class Shelf:
    """Outputs in memory, by database number; the instance's is -1."""

    def __init__(self) -> None:
        self.outputs: dict[int, BytesIO] = {}

    def database(self, number: int) -> BytesIO:
        assert number not in self.outputs
        return self.outputs.setdefault(number, BytesIO())

    def instance(self) -> BytesIO:
        return self.database(-1)


def copy(data: bytes, *wanted: int, chunk: int = 1 << 18) -> tuple[CopiedStream, Shelf]:
    shelf = Shelf()
    return copy_stream(BytesIO(data), wanted, shelf.database, shelf.instance, chunk_bytes=chunk), shelf


def fingerprint_of(data: bytes) -> Fingerprint:
    reader = Reader(BytesIO(data))
    prints = Fingerprinter(0)
    for entry in reader:
        prints.add(KeyDigests(reader.dialect).of(entry), entry.expires_at)
    return prints.fingerprint


@pytest.mark.parametrize("chunk", [64, 1000, 1 << 18])
def test_says_of_each_database_what_its_file_says(chunk: int) -> None:
    data, expected = every_type()
    copied, shelf = copy(data, 3, 15, chunk=chunk)
    for number, database in copied.databases.items():
        content = shelf.outputs[number].getvalue()
        entries = [each for each in expected if each.database == number]
        assert database.keys == len(entries) == fingerprint_of(content).keys
        assert database.keys_with_expiry == sum(each.expires_at is not None for each in entries)
        assert database.bytes == len(content)
    assert copied.bytes == len(data)


def test_tells_the_header_and_the_fields_of_the_stream() -> None:
    data, _ = every_type()
    copied, shelf = copy(data, 3)
    assert copied.header == "REDIS0012"
    assert copied.fields["redis-ver"] == "7.0.15"
    assert copied.began_at == 1_700_000_000_000
    assert copied.instance_bytes == len(shelf.outputs[-1].getvalue())


def test_counts_what_nobody_wanted_and_writes_none_of_it() -> None:
    data, expected = every_type()
    copied, shelf = copy(data, 15)
    assert set(shelf.outputs) == {15, -1}
    assert copied.unwanted == {3: len(expected) - 1}


def test_a_wanted_database_without_keys_gets_a_file_that_says_so() -> None:
    data, _ = every_type()
    copied, shelf = copy(data, 7, 15)
    assert copied.databases[7].keys == 0
    reader = Reader(BytesIO(shelf.outputs[7].getvalue()))
    assert list(reader) == []
    assert reader.header == b"REDIS0012"


def test_reports_progress_up_to_all_bytes() -> None:
    data, expected = every_type()
    seen: list[tuple[int, int]] = []
    shelf = Shelf()
    copy_stream(
        BytesIO(data),
        [3, 15],
        shelf.database,
        progress=lambda size, keys: seen.append((size, keys)),
        chunk_bytes=64,
    )
    assert seen == sorted(seen)
    assert seen[-1] == (len(data), len(expected))


class Cut:
    """A source whose connection ends after some bytes."""

    def __init__(self, data: bytes, after: int) -> None:
        self._data = BytesIO(data[:after])

    def read(self, size: int, /) -> bytes:
        piece = self._data.read(min(size, 50))
        if not piece:
            raise StreamEndedEarly("cut off", hint="Again.")
        return piece


def test_nothing_is_whole_when_the_connection_ends_at_any_place() -> None:
    data, _ = every_type()
    chooser = random.Random(3)
    for after in sorted(chooser.sample(range(len(data)), 60)):
        shelf = Shelf()
        with pytest.raises(StreamEndedEarly):
            copy_stream(Cut(data, after), [3, 7, 15], shelf.database, shelf.instance, chunk_bytes=100)
        assert_nothing_is_whole(shelf)


def test_nothing_is_whole_after_a_flipped_bit_in_any_byte() -> None:
    data, _ = every_type()
    for place in range(0, len(data), 2):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        shelf = Shelf()
        with pytest.raises((DamagedRdb, UnsupportedRdb)):
            copy_stream(BytesIO(bytes(damaged)), [3, 7, 15], shelf.database, shelf.instance, chunk_bytes=100)
        assert_nothing_is_whole(shelf)


def assert_nothing_is_whole(shelf: Shelf) -> None:
    assert 7 not in shelf.outputs
    for output in shelf.outputs.values():
        with pytest.raises((DamagedRdb, UnsupportedRdb)):
            list(Reader(BytesIO(output.getvalue())))


def test_an_error_of_an_output_passes_through() -> None:
    class Full:
        def write(self, data: bytes, /) -> object:
            raise OSError(28, "No space left on device")

    data = b.rdb(b.select(1, 1), b.entry(b"key", 0, b.raw(b"value")))
    with pytest.raises(OSError, match="No space"):
        copy_stream(BytesIO(data), [1], lambda _: Full())
