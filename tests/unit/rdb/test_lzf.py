"""LZF: decoding gives back what was compressed, whole and in pieces, and refuses what was not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.lzf import BadCompression, decompress_in_python, decompress_pieces
from tests.rdb_bytes import lzf_pack

compressible = st.lists(st.sampled_from([b"a", b"abc", b"status", b'{"role": "user", ', b"0" * 300])).map(
    b"".join
)
plain_texts = st.one_of(st.binary(max_size=600), compressible)


@given(plain_texts)
def test_gives_back_what_was_compressed(text: bytes) -> None:
    assert decompress_in_python(lzf_pack(text), len(text)) == text


@given(plain_texts, st.integers(1, 40), st.integers(1, 300))
def test_gives_it_back_in_pieces_too(text: bytes, cut: int, piece: int) -> None:
    packed = lzf_pack(text)
    cuts = [packed[start : start + cut] for start in range(0, len(packed), cut)]
    pieces = list(decompress_pieces(cuts, len(text), piece))
    assert b"".join(pieces) == text
    assert all(pieces)


def test_a_copy_reaches_as_far_as_the_window_that_is_kept() -> None:
    text = bytes(range(256)) * 32 + b"tail"
    packed = lzf_pack(text)
    assert b"".join(decompress_pieces([packed], len(text), 16)) == text


@given(compressible.filter(lambda text: len(text) > 20), st.data())
def test_refuses_what_is_cut_off(text: bytes, data: st.DataObject) -> None:
    packed = lzf_pack(text)
    end = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(BadCompression):
        decompress_in_python(packed[:end], len(text))
    with pytest.raises(BadCompression):
        list(decompress_pieces([packed[:end]], len(text), 64))


@pytest.mark.parametrize(
    ("packed", "length"),
    [
        pytest.param(b"\x00a\x20\x05", 4, id="a copy from before the beginning"),
        pytest.param(b"\x00a\x00b", 1, id="more than the length"),
        pytest.param(b"\x00a", 2, id="less than the length"),
        pytest.param(b"\x02ab", 3, id="a literal run that is cut off"),
        pytest.param(b"\x00a\xe0", 9, id="a copy that is cut off"),
    ],
)
def test_refuses_bytes_that_no_compressor_wrote(packed: bytes, length: int) -> None:
    with pytest.raises(BadCompression):
        decompress_in_python(packed, length)
    with pytest.raises(BadCompression):
        list(decompress_pieces([packed], length, 64))
