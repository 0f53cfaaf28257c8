"""The fingerprint: moved by every change of a key, by nothing else, and additive."""

from __future__ import annotations

import random
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.fingerprint import SPAN_BITS, Fingerprint, Fingerprinter, KeyDigests, surviving
from autobot_ops.rdb.layout import REDIS
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes as b
from tests.unit.rdb.samples import every_type, stream

DAY = 86_400_000


def fingerprint(*records: bytes, began_at: int = 0, chunk: int = 1 << 18) -> Fingerprint:
    reader = Reader(BytesIO(b.rdb(b.select(0), *records, header=b"REDIS0012")), chunk_bytes=chunk)
    printer, digests = Fingerprinter(began_at), KeyDigests(REDIS)
    for entry in reader:
        printer.add(digests.of(entry), entry.expires_at)
    return printer.fingerprint


def sample_records() -> list[bytes]:
    _, entries = every_type()
    return [
        b.entry(each.key, each.code, each.value, expires_at=each.expires_at)
        for each in entries
        # A 7.4 candidate's type and a zipmap can't be told from others by a shuffled file alone.
        if each.database == 3
    ]


@given(st.randoms(), st.sampled_from([64, 100, 1 << 18]))
def test_order_database_and_access_times_do_not_count(shuffler: random.Random, chunk: int) -> None:
    records = sample_records()
    expected = fingerprint(*records)
    shuffler.shuffle(records)
    halves = [*records[:5], b.select(7), b"\xf9\x09" + records[5], b"\xf8\x05" + records[6], *records[7:]]
    assert fingerprint(*(each for each in halves), chunk=chunk).keys == expected.keys
    reordered = fingerprint(*records, chunk=chunk)
    assert reordered == expected


def test_every_part_of_a_key_counts() -> None:
    base = b.entry(b"key", 0, b.raw(b"value"), expires_at=1_700_000_000_000)
    others = [
        b.entry(b"kex", 0, b.raw(b"value"), expires_at=1_700_000_000_000),
        b.entry(b"key", 0, b.raw(b"valuf"), expires_at=1_700_000_000_000),
        b.entry(b"key", 0, b.raw(b"value"), expires_at=1_700_000_000_001),
        b.entry(b"key", 0, b.raw(b"value")),
        b.entry(b"key", 1, b.counted([b.raw(b"value")]), expires_at=1_700_000_000_000),
        b.entry(b"key", 2, b.counted([b.raw(b"value")]), expires_at=1_700_000_000_000),
        b.entry(b"keyv", 0, b.raw(b"alue"), expires_at=1_700_000_000_000),
    ]
    found = {str(fingerprint(each)) for each in [base, *others]}
    assert len(found) == len(others) + 1


def test_every_part_of_a_stream_counts() -> None:
    identity = (1000).to_bytes(8, "big") + (5).to_bytes(8, "big")
    original = stream(3)
    times = b.milliseconds(1_700_000_000_000)
    changed = [
        original.replace(b"Ann", b"Eve"),
        original.replace(b"other", b"othes"),
        original.replace(b"readers", b"writers"),
        original.replace(b"worker", b"walker"),
        original.replace(times + b"\x01", times + b"\x02"),
        original.replace(times, b.milliseconds(1_600_000_000_000)),
        original.replace(identity, identity[:-1] + b"\x06"),
        stream(3, group=False),
    ]
    assert original not in changed
    found = {str(fingerprint(b.entry(b"key", 21, each))) for each in [original, *changed]}
    assert len(found) == len(changed) + 1


def test_when_a_consumer_was_seen_does_not_count() -> None:
    seen = b.milliseconds(1_700_000_000_001)
    original = stream(3)
    later = original.replace(seen, b.milliseconds(1_700_000_099_999))
    assert later != original
    assert fingerprint(b.entry(b"key", 21, later)) == fingerprint(b.entry(b"key", 21, original))
    assert fingerprint(b.entry(b"key", 19, stream(2))) == fingerprint(b.entry(b"key", 21, original))


def test_a_stream_without_groups_keeps_its_fingerprint_from_6_2_to_7() -> None:
    first, second = (fingerprint(b.entry(b"key", code, stream(version, group=False))) for code, version in
                     ((15, 1), (19, 2)))  # fmt: skip
    assert first == second


def test_how_a_stream_is_cut_and_what_is_deleted_in_it_does_not_count() -> None:
    def node(ms: int, *entries: tuple[int, bytes, bool]) -> bytes:
        head = [b"%d" % sum(not gone for _, _, gone in entries), b"%d" % sum(gone for _, _, gone in entries)]
        packed = [*head, b"1", b"name", b"0"]
        for number, value, gone in entries:
            packed += [b"3" if gone else b"2", b"%d" % (number - ms), b"0", value, b"4"]
        return b.raw(ms.to_bytes(8, "big") + bytes(8)) + b.raw(b.listpack(packed))

    tail = b"".join(map(b.length, [3, 30, 0, 10, 0, 20, 0, 4, 0]))
    whole = (
        b.counted([node(10, (10, b"a", False), (20, b"x", True), (25, b"b", False), (30, b"c", False))])
        + tail
    )
    parts = b.counted([node(10, (10, b"a", False)), node(25, (25, b"b", False), (30, b"c", False))]) + tail
    assert fingerprint(b.entry(b"key", 21, whole)) == fingerprint(b.entry(b"key", 21, parts))


def test_parts_add_up_and_can_be_taken_away() -> None:
    records = sample_records()
    whole, first, rest = fingerprint(*records), fingerprint(*records[:6]), fingerprint(*records[6:])
    assert first + rest == whole
    assert whole - first == rest
    assert Fingerprint.parse(str(whole)) == whole


def printer_of(keys: dict[bytes, int | None], began_at: int) -> Fingerprinter:
    printer, digests = Fingerprinter(began_at), KeyDigests(REDIS)
    records = [b.entry(key, 0, b.raw(b"value"), expires_at=at) for key, at in keys.items()]
    for entry in Reader(BytesIO(b.rdb(b.select(0), *records))):
        printer.add(digests.of(entry), entry.expires_at)
    return printer


@given(
    st.dictionaries(st.binary(max_size=4), st.one_of(st.none(), st.integers(-5, 3 * DAY))),
    st.integers(0, DAY - (1 << SPAN_BITS)),
)
def test_what_expired_between_two_looks_can_be_left_out(keys: dict[bytes, int | None], later: int) -> None:
    before = printer_of(keys, 0)
    after = printer_of({key: at for key, at in keys.items() if at is None or at > later}, later)
    assert surviving(before.fingerprint, before.expiring, later) == surviving(
        after.fingerprint, after.expiring, later
    )


def test_leaving_out_expired_keys_hides_no_other_loss() -> None:
    keys: dict[bytes, int | None] = {b"stays": None, b"expires": 1000, b"later": DAY}
    before = printer_of(keys, 0)
    for lost in (b"stays", b"later"):
        after = printer_of({key: at for key, at in keys.items() if key not in (lost, b"expires")}, 5000)
        left = surviving(before.fingerprint, before.expiring, 5000)
        assert left != surviving(after.fingerprint, after.expiring, 5000)
        assert left.keys == 2


def test_spans_do_not_grow_with_the_number_of_keys() -> None:
    printer = Fingerprinter(0)
    for number in range(100_000):
        printer.add(number, number * 100_000)
    assert len(printer.expiring) < 700


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (16, b.raw(b"\x08\x00\x00\x00\x01\x00\xf5\xff")),
        (17, b.raw(b.listpack([b"a"]))),
        (0, b"\xc3\x01\x05\x20"),
    ],
)
def test_names_the_key_of_a_value_that_is_none(code: int, value: bytes) -> None:
    with pytest.raises(MalformedRecord, match="the-key"):
        fingerprint(b.entry(b"the-key", code, value))
