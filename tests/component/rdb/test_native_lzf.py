"""The system's liblzf and our own decoder: one law. Both come with a Debian redis-server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.lzf import BadCompression, Decompress, decompress_in_python, load_native
from tests.rdb_bytes import lzf_pack
from tests.unit.rdb.test_lzf import plain_texts


@pytest.fixture(scope="module")
def native() -> Decompress:
    found = load_native()
    assert found is not None, "liblzf1 is missing; scripts/install-test-servers brings it with redis-server"
    return found


@given(text=plain_texts)
def test_gives_back_what_was_compressed(native: Decompress, text: bytes) -> None:
    if text:
        assert native(lzf_pack(text), len(text)) == text


@given(packed=st.binary(max_size=80), length=st.integers(0, 300))
def test_both_accept_and_refuse_the_same(native: Decompress, packed: bytes, length: int) -> None:
    assert outcome(native, packed, length) == outcome(decompress_in_python, packed, length)


def outcome(decompress: Decompress, packed: bytes, length: int) -> bytes | None:
    try:
        return decompress(packed, length)
    except BadCompression:
        return None
