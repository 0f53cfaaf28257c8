"""Envelopes: what was sealed opens at its place with its key, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.isolation.data_keys import new_key_ring_line
from src.utils.envelope import (
    EnvelopeUnsupported,
    Place,
    ValueTampered,
    is_envelope,
    key_identifier_of,
    open_envelope,
    seal,
)
from src.utils.key_ring import DataKey, EncryptionFault, parse_key_ring


def data_key(byte: int = 7) -> DataKey:
    return parse_key_ring(new_key_ring_line(bytes([byte]) * 32)).writing


KEY = data_key()
PLACE = Place("sessions", "hash", b"session:1", b"user")

places = st.builds(
    Place,
    database=st.sampled_from(["sessions", "main"]),
    kind=st.sampled_from(["string", "hash", "list"]),
    key=st.binary(max_size=12),
    field=st.binary(max_size=12),
)


@given(place=places, value=st.binary(max_size=4096))
def test_opens_what_it_sealed(place: Place, value: bytes) -> None:
    stored = seal(KEY, place, value)
    assert is_envelope(stored)
    assert key_identifier_of(stored, place) == KEY.identifier
    assert open_envelope(KEY, place, stored) == value
    assert len(stored) == len(value) + 45


@given(place=places, other=places)
def test_opens_at_no_other_place(place: Place, other: Place) -> None:
    stored = seal(KEY, place, b"value")
    if place == other:
        assert open_envelope(KEY, other, stored) == b"value"
    else:
        with pytest.raises(ValueTampered):
            open_envelope(KEY, other, stored)


def test_bytes_may_not_wander_between_key_and_field() -> None:
    stored = seal(KEY, Place("sessions", "hash", b"ab", b"c"), b"value")
    with pytest.raises(ValueTampered):
        open_envelope(KEY, Place("sessions", "hash", b"a", b"bc"), stored)


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    stored = seal(KEY, PLACE, b"secret")
    for place in range(3 * 8, len(stored) * 8):
        spoilt = bytearray(stored)
        spoilt[place // 8] ^= 1 << (place % 8)
        with pytest.raises(EncryptionFault):
            open_envelope(KEY, PLACE, bytes(spoilt))
    for length in range(len(stored)):
        with pytest.raises(EncryptionFault):
            open_envelope(KEY, PLACE, stored[:length])


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ValueTampered):
        open_envelope(data_key(8), PLACE, seal(KEY, PLACE, b"secret"))


def test_equal_values_look_different() -> None:
    assert seal(KEY, PLACE, b"secret") != seal(KEY, PLACE, b"secret")


def test_refuses_a_later_version_by_its_number() -> None:
    stored = bytearray(seal(KEY, PLACE, b"secret"))
    stored[3] = 9
    with pytest.raises(EnvelopeUnsupported, match="version 9"):
        key_identifier_of(bytes(stored), PLACE)


def test_the_message_names_the_place_and_not_the_value() -> None:
    with pytest.raises(ValueTampered, match="hash 'session:1' field 'user' in sessions") as caught:
        open_envelope(data_key(8), PLACE, seal(KEY, PLACE, b"secret"))
    assert "secret" not in str(caught.value)


@given(text=st.text())
def test_no_text_passes_for_an_envelope(text: str) -> None:
    assert not is_envelope(text.encode())
