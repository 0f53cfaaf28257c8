"""Lengths and strings: what is written is read back, in memory and through a window of any size."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.content import LARGE, LongString, read_string, whole
from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.skipping import BadEncoding, read_length, string_end
from autobot_ops.rdb.window import Window
from tests import rdb_bytes as b
from tests.unit.rdb.values import strings, texts

chunks = st.integers(1, 70)


def test_the_checksum_is_that_of_redis() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"6789", crc64(b"12345")) == crc64(b"123456789")


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=3), chunks)
def test_a_length_is_read_back(number: int, after: bytes, chunk: int) -> None:
    encoded = b.length(number)
    assert read_length(encoded + after, 0) == (number, len(encoded))
    window = Window(BytesIO(encoded + after), chunk)
    assert window.length() == number
    assert window.offset == len(encoded)


@given(st.integers(0, (1 << 64) - 1))
def test_a_length_that_is_cut_off_is_not_guessed(number: int) -> None:
    encoded = b.length(number)
    for end in range(len(encoded)):
        with pytest.raises(IndexError):
            read_length(encoded[:end], 0)


@given(texts, strings, chunks)
def test_a_string_is_read_back(text: bytes, store: object, chunk: int) -> None:
    assert callable(store)
    encoded = store(text)
    assert whole(encoded + b"more", 0) == (text, len(encoded))
    assert string_end(encoded, 0) == len(encoded)
    window = Window(BytesIO(encoded + b"more"), chunk)
    assert read_string(window) == text
    assert window.offset == len(encoded)


@given(texts, strings)
def test_a_string_that_is_cut_off_is_not_guessed(text: bytes, store: object) -> None:
    assert callable(store)
    encoded = store(text)
    for end in range(len(encoded)):
        with pytest.raises(IndexError):
            whole(encoded[:end], 0)


@pytest.mark.parametrize("store", [b.raw, b.lzf])
@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_a_long_string_comes_in_pieces(store: object, chunk: int) -> None:
    assert callable(store)
    text = b"".join(b"line %d of a long text\n" % number for number in range(20_000))
    window = Window(BytesIO(store(text) + b"\x05"), chunk)
    found = read_string(window)
    assert isinstance(found, LongString)
    assert found.length == len(text)
    pieces = list(found)
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) <= 2 * LARGE
    assert window.length() == 5


@pytest.mark.parametrize("first", [0x82, 0xBF])
def test_refuses_an_unknown_length(first: int) -> None:
    with pytest.raises(BadEncoding):
        read_length(bytes((first,)) + bytes(9), 0)
    with pytest.raises(MalformedRecord, match="length"):
        Window(BytesIO(bytes((first,)) + bytes(9))).length()


@pytest.mark.parametrize("first", [0xC4, 0xFF])
def test_refuses_an_unknown_string_encoding(first: int) -> None:
    with pytest.raises(BadEncoding):
        string_end(bytes((first,)) + bytes(9), 0)
    with pytest.raises(MalformedRecord, match="encoding"):
        read_string(Window(BytesIO(bytes((first,)) + bytes(9))))


def test_refuses_a_string_where_a_number_belongs() -> None:
    with pytest.raises(MalformedRecord, match="number"):
        Window(BytesIO(b"\xc0\x05")).length()
