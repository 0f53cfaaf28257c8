"""Counting many entries at a time: exactly what one at a time gives, for all that files can have."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.counting import DatabaseCount
from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.layout import REDIS
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.summary import Summary
from tests import rdb_bytes as b
from tests.unit.rdb import values
from tests.unit.rdb.samples import every_type, stream
from tests.unit.rdb.values import strings, texts

CHUNKS = st.sampled_from([64, 300, 1 << 18])


@st.composite
def values_of_any_type(draw: st.DrawFn) -> tuple[int, bytes]:
    """A type and a serialised value, in any encoding."""
    store = draw(strings)
    elements = draw(st.lists(texts, min_size=1, max_size=8, unique=True))
    pairs = [(each, draw(texts)) for each in elements]
    scored = [(each, draw(st.floats(allow_nan=False))) for each in elements]
    encodings = {
        0: {0: store(draw(st.one_of(texts, st.binary(min_size=50, max_size=700))))},
        1: values.lists(elements, store, draw(st.integers(1, 9))),
        2: values.sets(elements, store),
        3: values.hashes(pairs, store),
        4: values.sorted_sets(scored, store),
        5: {19: stream(2), 21: stream(3, group=draw(st.booleans()))},
    }[draw(st.integers(0, 5))]
    return draw(st.sampled_from(sorted(encodings.items())))


entries = st.tuples(texts, st.one_of(st.none(), st.integers(-5, 1 << 45)), values_of_any_type())


def rdb_of(found: list[tuple[bytes, int | None, tuple[int, bytes]]]) -> bytes:
    records = [
        b.entry(b"%d:" % number + key, code, value, expires_at=expires_at)
        for number, (key, expires_at, (code, value)) in enumerate(found)
    ]
    return b.rdb(b.select(1), *records, header=b"REDIS0012")


def one_by_one(data: bytes) -> tuple[Fingerprinter, Summary]:
    prints, summary = Fingerprinter(0), Summary()
    for entry in Reader(BytesIO(data)):
        prints.add(KeyDigests(REDIS).of(entry), entry.expires_at)
        summary.add(entry)
    return prints, summary


@given(st.lists(entries, max_size=12), CHUNKS)
def test_many_at_a_time_give_what_one_at_a_time_gives(
    found: list[tuple[bytes, int | None, tuple[int, bytes]]], chunk: int
) -> None:
    data = rdb_of(found)
    counts = Splitter(BytesIO(data), lambda _: None, chunk_bytes=chunk).run_counting()
    count = counts.get(1, DatabaseCount(KeyDigests(REDIS), 0))
    summary = count.summary
    prints, expected = one_by_one(data)
    assert count.prints.fingerprint == prints.fingerprint
    assert count.prints.expiring == prints.expiring
    for name in ("keys", "keys_with_expiry", "size"):
        assert getattr(summary, name) == getattr(expected, name)
    assert [each.size for each in summary.largest] == [each.size for each in expected.largest]
    assert {(each.key, each.size, each.kind) for each in summary.largest} <= {
        (entry.key, entry.finish(), entry.kind) for entry in Reader(BytesIO(data))
    }


def usual_stream(groups: bytes) -> bytes:
    """Two entries with the same fields."""
    entries = [
        b"2",
        b"0",
        b"1",
        b"name",
        b"0",
        *[b"2", b"0", b"0", b"Ann", b"4"],
        *[b"2", b"9", b"1", b"Bob", b"4"],
    ]
    node = b.raw((1000).to_bytes(8, "big") + bytes(8)) + b.raw(b.listpack(entries))
    return b.counted([node]) + b"".join(map(b.length, [2, 1009, 1, 1000, 0, 0, 0, 2])) + groups


GROUP = stream(2)[-len(stream(2)) + len(stream(2, group=False)) - 1 :]
USUAL = {
    "text": (0, b.raw(b"text")),
    "integer": (0, b.string(b"17")),
    "longer text": (0, b.raw(b"t" * 300)),
    "compressed text": (0, b.lzf(b"abcabcabcabcabc" * 9)),
    "list": (18, b.counted([b.length(2) + b.raw(b.listpack([b"first", b"22"]))])),
    "compressed list": (18, b.counted([b.length(2) + b.lzf(b.listpack([b"first"] * 30))])),
    "set": (2, b.counted([b.raw(b"a"), b.lzf(b"b" * 50)])),
    "set in a listpack": (20, b.raw(b.listpack([b"a", b"5"]))),
    "set of integers": (11, b.raw(b.intset([1, -7, 70_000]))),
    "hash": (16, b.lzf(b.listpack([b"name", b"value"] * 9))),
    "sorted set": (17, b.raw(b.listpack([b"a", b"0.5", b"b", b"7"]))),
    "stream": (19, usual_stream(b.length(0))),
    "stream with a group": (19, usual_stream(GROUP)),
}


@pytest.mark.parametrize(("code", "value"), USUAL.values(), ids=USUAL)
@pytest.mark.parametrize("expires_at", [None, 5])
def test_usual_entries_are_taken_at_once(code: int, value: bytes, expires_at: int | None) -> None:
    """Otherwise the speed would be lost unnoticed."""
    record = b.entry(b"key", code, value, expires_at=expires_at)
    count = DatabaseCount(KeyDigests(REDIS), 0)
    assert count.take(record + b"\xff", 0) == len(record)
    assert count.prints.fingerprint == one_by_one(b.rdb(b.select(1), record))[0].fingerprint


def test_what_is_no_value_is_named_by_the_reader() -> None:
    good = b.entry(b"good", 0, b.raw(b"value"))
    bad = b.entry(b"the-key", 16, b.raw(b"\x08\x00\x00\x00\x01\x00\xf5\xff"))
    with pytest.raises(MalformedRecord, match="the-key"):
        Splitter(BytesIO(b.rdb(b.select(0), good, bad, good)), lambda _: None).run_counting()


def test_the_definition_has_not_changed() -> None:
    """Manifests on disk have fingerprints: another definition needs another format of the archive."""
    data, _ = every_type()
    counts = Splitter(BytesIO(data), lambda _: None).run_counting()
    assert {number: str(count.prints.fingerprint) for number, count in counts.items()} == {
        3: "24:a82d6083318d76f5a96ee49b568a85c0",
        15: "1:e827ec1e5feeed6109ebb93508024e55",
    }
