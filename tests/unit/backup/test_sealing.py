"""What is sealed opens to the same bytes, and to nothing else."""

from __future__ import annotations

import errno
import io
import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import x25519

from autobot_ops.backup.errors import DamagedPart, StorageFailed, WrongKey
from autobot_ops.backup.sealing import PIECE_BYTES, SealedReader, SealingWriter

IDENTITY = x25519.Identity.generate()
OTHER = x25519.Identity.generate()


def seal(data: bytes, *, cut: int = PIECE_BYTES, recipients: list[x25519.Identity] | None = None) -> bytes:
    output = io.BytesIO()
    to = [each.to_public() for each in ([IDENTITY] if recipients is None else recipients)]
    writer = SealingWriter(output, to, what="a part")
    for start in range(0, len(data), cut):
        writer.write(data[start : start + cut])
    writer.finish()
    return output.getvalue()


def unseal(stored: bytes, identity: x25519.Identity = IDENTITY, *, encrypted: bool = True) -> bytes:
    with SealedReader(io.BytesIO(stored), [identity], encrypted=encrypted, what="a part") as reader:
        return reader.readall() or b""


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=2000), st.integers(1, 300), st.integers(0, 600), st.booleans())
def test_opens_to_what_was_sealed(unit: bytes, cut: int, times: int, encrypted: bool) -> None:
    data = unit * times
    stored = seal(data, cut=cut * 1000, recipients=None if encrypted else [])
    assert unseal(stored, encrypted=encrypted) == data


def test_counts_what_it_wrote() -> None:
    output = io.BytesIO()
    writer = SealingWriter(output, [IDENTITY.to_public()], what="a part")
    for _ in range(1000):
        writer.write(b"x" * 999)
    sealed = writer.finish()
    assert (sealed.plain_bytes, sealed.stored_bytes) == (999_000, len(output.getvalue()))


def test_every_recipient_opens_it() -> None:
    stored = seal(b"data", recipients=[IDENTITY, OTHER])
    assert unseal(stored, OTHER) == unseal(stored, IDENTITY) == b"data"


def test_no_other_key_opens_it() -> None:
    with pytest.raises(WrongKey):
        unseal(seal(b"data"), OTHER)


def test_the_plain_bytes_are_nowhere_in_it() -> None:
    secret = random.Random(1).randbytes(64)
    assert secret in seal(secret, recipients=[])
    assert secret not in seal(secret)


@pytest.mark.parametrize("encrypted", [True, False])
def test_every_truncation_is_seen(encrypted: bool) -> None:
    stored = seal(random.Random(2).randbytes(200_000), recipients=None if encrypted else [])
    for length in [0, 1, 8, *random.Random(3).sample(range(len(stored)), 30), len(stored) - 1]:
        with pytest.raises(DamagedPart):
            unseal(stored[:length], encrypted=encrypted)


@pytest.mark.parametrize("encrypted", [True, False])
def test_bytes_behind_the_end_are_seen(encrypted: bool) -> None:
    stored = seal(b"data" * 1000, recipients=None if encrypted else [])
    for more in (b"x", stored):
        with pytest.raises(DamagedPart):
            unseal(stored + more, encrypted=encrypted)


def test_every_flipped_bit_is_seen() -> None:
    stored = seal(random.Random(4).randbytes(5_000))
    for position in random.Random(5).sample(range(len(stored) * 8), 300):
        flipped = bytearray(stored)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises((DamagedPart, WrongKey)):
            unseal(bytes(flipped))


class FullDisk(io.RawIOBase):
    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, data: object, /) -> int:
        self.room -= len(bytes(data))  # type: ignore[call-overload]
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return 0


@pytest.mark.parametrize("room", [0, 50_000, 3_000_000])
@pytest.mark.parametrize("encrypted", [True, False])
def test_a_full_disk_is_named(room: int, encrypted: bool) -> None:
    recipients = [IDENTITY.to_public()] if encrypted else []
    writer = SealingWriter(FullDisk(room), recipients, what="sessions")

    noise = random.Random(6)

    def fill() -> None:
        for _ in range(40):
            writer.write(noise.randbytes(PIECE_BYTES))
        writer.finish()

    with pytest.raises(StorageFailed, match="sessions can't be written: No space left"):
        fill()
    writer.abort()


def test_an_aborted_writer_leaves_nothing_that_opens() -> None:
    output = io.BytesIO()
    writer = SealingWriter(output, [IDENTITY.to_public()], what="a part")
    for _ in range(20):
        writer.write(bytes(PIECE_BYTES))
    writer.abort()
    with pytest.raises(DamagedPart):
        unseal(output.getvalue())


def test_a_reader_that_is_closed_early_ends_its_thread() -> None:
    reader = SealedReader(
        io.BytesIO(seal(random.Random(7).randbytes(8_000_000))), [IDENTITY], encrypted=True, what="a part"
    )
    assert len(reader.read(10)) == 10
    reader.close()


def test_much_from_little_is_read_in_small_pieces() -> None:
    plain = 200_000_000
    stored = zstandard.ZstdCompressor().compress(bytes(plain))
    seen = 0
    with SealedReader(io.BytesIO(stored), [], encrypted=False, what="a part") as reader:
        while piece := reader.read(1 << 20):
            seen += len(piece)
    assert seen == plain
