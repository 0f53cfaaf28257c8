"""Fingerprints of entries as they are stored: the same however the bytes are cut, another for any change."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.layout import REDIS
from autobot_ops.rdb.listing import KeyListing, Row
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stored_prints import StoredPrints, read_stored_prints, stored_head
from tests import rdb_bytes as b
from tests.unit.rdb.samples import every_type
from tests.unit.rdb.test_counting import CHUNKS, USUAL, entries, rdb_of


def one_by_one(data: bytes) -> StoredPrints:
    prints = StoredPrints(0)
    for entry in Reader(BytesIO(data)):
        prints.add(entry)
    return prints


def listed(data: bytes, chunk: int) -> list[Row]:
    rows: list[Row] = []
    listing = KeyListing(KeyDigests(REDIS), rows.extend)
    reader = Reader(BytesIO(data), chunk_bytes=chunk)
    reader.taker = lambda _: listing
    for entry in reader:
        listing.add(entry)
    return rows


@given(st.lists(entries, max_size=12), CHUNKS)
def test_many_at_a_time_give_what_one_at_a_time_gives(
    found: list[tuple[bytes, int | None, tuple[int, bytes]]], chunk: int
) -> None:
    data = rdb_of(found)
    prints = StoredPrints(0)
    reader = Reader(BytesIO(data), chunk_bytes=chunk)
    reader.taker = lambda _: prints
    for entry in reader:
        prints.add(entry)
    assert prints.prints.prints == one_by_one(data).prints.prints


@given(st.lists(entries, max_size=12), CHUNKS)
def test_a_listing_has_the_digest_of_each_entry_as_it_is_stored(
    found: list[tuple[bytes, int | None, tuple[int, bytes]]], chunk: int
) -> None:
    data = rdb_of(found)
    expected = []
    for entry in Reader(BytesIO(data)):
        digest = stored_head(entry)
        entry.write_value(digest.update)
        expected.append((entry.key, digest.intdigest()))
    assert [(key, stored) for key, _, stored, *_ in listed(data, chunk)] == expected


@pytest.mark.parametrize("chunk", [64, 1 << 18])
def test_every_type_has_its_place(chunk: int) -> None:
    data, keys = every_type()
    found, _ = read_stored_prints(BytesIO(data))
    assert sum(each.fingerprint.keys for each in found.values()) == len(listed(data, chunk))
    assert keys


@pytest.mark.parametrize(("code", "value"), USUAL.values(), ids=USUAL)
def test_any_change_of_name_type_value_or_expiry_shows(code: int, value: bytes) -> None:
    def print_of(*records: bytes) -> object:
        return read_stored_prints(BytesIO(b.rdb(b.select(0), *records)))[0]

    plain = print_of(b.entry(b"key", code, value))
    assert plain == print_of(b.entry(b"key", code, value))
    assert plain != print_of(b.entry(b"kez", code, value))
    assert plain != print_of(b.entry(b"key", code, value, expires_at=5))
    assert print_of(b.entry(b"key", code, value, expires_at=6)) != print_of(
        b.entry(b"key", code, value, expires_at=5)
    )
    assert plain != print_of(b.entry(b"key", 0, b.raw(b"another value")))
    assert plain != print_of(b.entry(b"key", code, value), b.entry(b"more", 0, b.raw(b"")))


def test_a_value_longer_than_the_buffer_counts_with_its_last_byte() -> None:
    def print_of(last: bytes) -> object:
        record = b.entry(b"long", 0, b.raw(b"x" * 5000 + last))
        reader = Reader(BytesIO(b.rdb(b.select(0), record)), chunk_bytes=64)
        prints = StoredPrints(0)
        for entry in reader:
            prints.add(entry)
        return prints.prints.fingerprint

    assert print_of(b"a") != print_of(b"b")


def test_access_frequency_does_not_count() -> None:
    value = b.raw(b"value")
    rarely, often = (
        b.rdb(b.select(0), b"\xf9" + bytes((times,)) + b.entry(b"key", 0, value)) for times in (1, 200)
    )
    assert read_stored_prints(BytesIO(rarely))[0] == read_stored_prints(BytesIO(often))[0]
