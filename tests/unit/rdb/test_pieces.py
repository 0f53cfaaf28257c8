"""A value in pieces says what the value says, whatever its encoding and however little stands in memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.layout import REDIS, VALKEY, Dialect
from autobot_ops.rdb.pieces import (
    PIECE_BYTES,
    PIECE_ELEMENTS,
    STRING_PIECE_BYTES,
    can_be_split,
    commands_of,
    exact_score,
)
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream_pieces import Command
from tests import rdb_bytes as b
from tests.unit.rdb import samples, values
from tests.unit.rdb.values import strings, texts

chunks = st.sampled_from([64, 200, 1 << 16])


def pieces(
    code: int, value: bytes, *, expires_at: int | None = None, chunk: int = 1 << 16, dialect: Dialect = REDIS
) -> list[Command]:
    header = b"REDIS0012" if dialect is REDIS else b"VALKEY080"
    file = b.rdb(b.select(0), b.entry(b"key", code, value, expires_at=expires_at), header=header)
    found: list[Command] = []
    for entry in Reader(BytesIO(file), chunk_bytes=chunk):
        found += commands_of(entry, dialect)
    return found


def elements(commands: Iterable[Command], verb: bytes) -> list[bytes]:
    return [word for each in commands if each[0] == verb for word in each[2:]]


@given(texts, strings, chunks)
def test_a_string(text: bytes, store: Callable[[bytes], bytes], chunk: int) -> None:
    assert pieces(0, store(text), chunk=chunk) == [(b"SET", b"key", text)]


def test_a_long_string_is_set_and_appended_to() -> None:
    text = bytes(range(256)) * 4096 * 9
    for stored in (b.raw(text), b.lzf(text)):
        first, *rest = pieces(0, stored)
        assert first[0] == b"SET"
        assert {each[0] for each in rest} == {b"APPEND"}
        assert b"".join(each[2] for each in (first, *rest)) == text
        assert max(len(each[2]) for each in rest) < STRING_PIECE_BYTES + (1 << 17)


@given(st.lists(texts, min_size=1, max_size=300), strings, st.integers(1, 20), chunks)
def test_a_list(items: list[bytes], store: Callable[[bytes], bytes], cut: int, chunk: int) -> None:
    for code, value in values.lists(items, store, cut).items():
        assert elements(pieces(code, value, chunk=chunk), b"RPUSH") == items


@given(st.lists(texts, min_size=1, max_size=300, unique=True), strings, chunks)
def test_a_set(members: list[bytes], store: Callable[[bytes], bytes], chunk: int) -> None:
    for code, value in values.sets(members, store).items():
        assert sorted(elements(pieces(code, value, chunk=chunk), b"SADD")) == sorted(members)


@given(st.dictionaries(texts, texts, min_size=1, max_size=200), strings, chunks)
def test_a_hash(content: dict[bytes, bytes], store: Callable[[bytes], bytes], chunk: int) -> None:
    for code, value in values.hashes(list(content.items()), store).items():
        words = elements(pieces(code, value, chunk=chunk), b"HSET")
        assert dict(zip(words[::2], words[1::2], strict=True)) == content


def test_fields_with_a_time_to_live_keep_it() -> None:
    base, later = 1_700_000_000_000, 1_700_000_000_700
    relative = b.milliseconds(base) + b.counted(
        [
            b.length(701) + b.string(b"late") + b.string(b"1"),
            b.length(0) + b.string(b"never") + b.string(b"2"),
            b.length(1) + b.string(b"soon") + b.string(b"3"),
        ]
    )
    packed = b.milliseconds(base) + b.raw(
        b.listpack([b"late", b"1", b"%d" % later, b"never", b"2", b"0", b"soon", b"3", b"%d" % base])
    )
    for code, value in ((24, relative), (25, packed)):
        commands = pieces(code, value)
        assert commands[0][0] == b"HSET"
        expiries = {each[5]: int(each[2]) for each in commands if each[0] == b"HPEXPIREAT"}
        assert expiries == {b"late": later, b"soon": base}
    valkey = b.counted([b.string(b"soon") + b.string(b"3") + b.milliseconds(base)])
    assert pieces(22, valkey, dialect=VALKEY)[1] == (
        b"HPEXPIREAT", b"key", b"%d" % base, b"FIELDS", b"1", b"soon",
    )  # fmt: skip


@given(st.dictionaries(texts, st.floats(allow_nan=False), min_size=1, max_size=200), strings, chunks)
def test_a_sorted_set_with_exact_scores(
    content: dict[bytes, float], store: Callable[[bytes], bytes], chunk: int
) -> None:
    exact = values.sorted_sets(list(content.items()), store)
    words = elements(pieces(5, exact[5], chunk=chunk), b"ZADD")
    found = dict(zip(words[1::2], words[::2], strict=True))
    assert {name: struct.pack("<d", float(score)) for name, score in found.items()} == {
        name: struct.pack("<d", score) for name, score in content.items()
    }
    for code in (3, 12, 17):
        words = elements(pieces(code, exact[code], chunk=chunk), b"ZADD")
        assert {name: float(score) for name, score in zip(words[1::2], words[::2], strict=True)} == content


@given(st.floats(allow_nan=False))
def test_a_score_reads_back_to_the_same_bytes(score: float) -> None:
    assert struct.pack("<d", float(exact_score(score))) == struct.pack("<d", score)


@pytest.mark.parametrize(("code", "version"), [(19, 2), (21, 3)])
def test_a_stream_with_its_group(code: int, version: int) -> None:
    added = b"2"
    assert pieces(code, samples.stream(version)) == [
        (b"XADD", b"key", b"1000-5", b"name", b"Ann"),
        (b"XADD", b"key", b"1007-5", b"other", b"Bob"),
        (b"XSETID", b"key", b"1007-5", b"ENTRIESADDED", added, b"MAXDELETEDID", b"0-0"),
        (b"XGROUP", b"CREATE", b"key", b"readers", b"1007-5", b"MKSTREAM", b"ENTRIESREAD", b"2"),
        (b"XGROUP", b"CREATECONSUMER", b"key", b"readers", b"worker"),
        (b"XCLAIM", b"key", b"readers", b"worker", b"0", b"1000-5", b"TIME", b"1700000000000",
         b"RETRYCOUNT", b"1", b"FORCE", b"JUSTID"),
    ]  # fmt: skip


def test_the_keys_expiry_comes_last() -> None:
    assert pieces(0, b.string(b"text"), expires_at=1_700_000_000_000)[-1] == (
        b"PEXPIREAT", b"key", b"1700000000000",
    )  # fmt: skip


def test_no_piece_is_larger_than_a_piece_may_be() -> None:
    many = pieces(1, b.counted([b.string(b"e")] * 10 * PIECE_ELEMENTS))
    assert max(len(each) for each in many) == PIECE_ELEMENTS + 2
    long = pieces(1, b.counted([b.raw(b"e" * 1000)] * 100))
    assert max(sum(map(len, each)) for each in long) <= PIECE_BYTES + 1000 + len(b"RPUSHkey")


def test_an_element_longer_than_a_piece_is_whole_in_a_piece() -> None:
    long = b"x" * 200_000
    for stored in (b.raw(long), b.lzf(long)):
        assert elements(pieces(1, b.counted([stored])), b"RPUSH") == [long]
    assert elements(pieces(18, b.counted([b.length(2) + b.raw(b.listpack([b"1", long]))])), b"RPUSH") == [
        b"1",
        long,
    ]
    assert elements(pieces(14, b.counted([b.raw(b.ziplist([long, b"2"]))])), b"RPUSH") == [long, b"2"]


def test_modules_zipmaps_and_streams_without_counters_are_not_split() -> None:
    for code in (7, 9, 15):
        file = b.rdb(b.select(0), b.entry(b"key", code, samples.serialised(REDIS)[code]))
        for entry in Reader(BytesIO(file)):
            assert not can_be_split(entry, REDIS)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (11, b.raw(b"\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00")),
        (13, b.raw(b.ziplist([b"name without a value"]))),
        (10, b.raw(b.ziplist([b"cut"])[:-4])),
        (17, b.raw(b.listpack([b"member", b"no score"]))),
        (20, b.raw(b"no listpack at all")),
    ],
)
def test_what_is_no_value_is_damage(code: int, value: bytes) -> None:
    with pytest.raises(MalformedRecord):
        pieces(code, value)
