"""Memory: flat at any size of value, for reading, copying and fingerprints."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes as b

MEBIBYTE = 1 << 20
PIECE = 1 << 16
LIMIT = 3 * MEBIBYTE


class Generated:
    """A source whose bytes are made as they are read, with the end mark and checksum behind them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._checksum = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and not self._ended:
            piece = next(self._pieces, b"")
            if not piece:
                self._ended = True
                piece = b"\xff"
                self._rest += piece + crc64(piece, self._checksum).to_bytes(8, "little")
                break
            self._checksum = crc64(piece, self._checksum)
            self._rest += piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def head(code: int) -> bytes:
    return b"REDIS0012" + b.select(0) + b"\xfc" + b.milliseconds(5) + bytes((code,)) + b.string(b"huge")


def long_string(size: int) -> Iterator[bytes]:
    yield head(0) + b.length(size)
    for _ in range(size // PIECE):
        yield bytes(PIECE)


def compressed_string(size: int) -> Iterator[bytes]:
    # Copies of the longest kind: 264 bytes of output for three.
    count = size // 264
    yield head(0) + b"\xc3" + b.length(2 + 3 * count) + b.length(1 + 264 * count) + b"\x00a"
    for start in range(0, count, 1000):
        yield b"\xe0\xff\x00" * min(1000, count - start)


def tightly_compressed_string(_: int) -> Iterator[bytes]:
    # Little in the file, much in memory.
    yield from compressed_string(5 * MEBIBYTE)


def long_table(size: int) -> Iterator[bytes]:
    yield head(4) + b.length(size // 1000)
    for number in range(size // 1000):
        yield b.raw(b"%018d" % number) + b.raw(bytes(978))


def long_elements(size: int) -> Iterator[bytes]:
    # One record, both of its strings of many megabytes.
    yield head(4) + b.length(1)
    for _ in range(2):
        yield b.length(size // 2)
        for _ in range(size // 2 // PIECE):
            yield bytes(PIECE)


def long_list(size: int) -> Iterator[bytes]:
    node = b.length(2) + b.raw(b.listpack([b"element %d" % number for number in range(600)]))
    count = size // len(node)
    yield head(18) + b.length(count)
    for _ in range(count):
        yield node


def long_node(size: int) -> Iterator[bytes]:
    # A listpack of many elements, and one of a single long element.
    elements = b"".join(b.listpack_element(b"element %d" % number) for number in range(6000))
    count = size // 2 // len(elements)
    packed = 7 + count * len(elements)
    yield head(18) + b.length(2) + b.length(2) + b.length(packed)
    yield packed.to_bytes(4, "little") + b"\xff\xff"
    for _ in range(count):
        yield elements
    half = size // 2 // MEBIBYTE * MEBIBYTE
    yield (
        b"\xff" + b.length(2) + b.length(6 + 5 + half + 4 + 1) + (6 + 5 + half + 4 + 1).to_bytes(4, "little")
    )
    yield b"\x01\x00\xf0" + half.to_bytes(4, "little")
    for _ in range(half // PIECE):
        yield bytes(PIECE)
    yield bytes(4) + b"\xff"


def many_pending(size: int) -> Iterator[bytes]:
    count = size // 2 // 25
    yield head(21) + b.length(0) + bytes(8) + b.length(1) + b.string(b"group") + bytes(3) + b.length(count)
    for start in range(0, count, 10_000):
        yield b"".join(
            number.to_bytes(16, "big") + bytes(8) + b"\x01"
            for number in range(start, min(start + 10_000, count))
        )
    yield b.length(1) + b.string(b"consumer") + bytes(16) + b.length(count)
    for start in range(0, count, 10_000):
        yield b"".join(number.to_bytes(16, "big") for number in range(start, min(start + 10_000, count)))


Maker = Callable[[int], Iterator[bytes]]
shapes = pytest.mark.parametrize(
    "maker",
    [
        long_string,
        compressed_string,
        tightly_compressed_string,
        long_table,
        long_elements,
        long_list,
        long_node,
        many_pending,
    ],
    ids=lambda maker: maker.__name__,
)


def peak_of(action: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@shapes
def test_passing_over_a_huge_value_needs_little_memory(maker: Maker) -> None:
    def read() -> None:
        sizes = [entry.finish() for entry in Reader(Generated(maker(8 * MEBIBYTE)))]
        assert sizes[0] > (MEBIBYTE // 20 if "compressed" in maker.__name__ else 6 * MEBIBYTE)

    assert peak_of(read) < LIMIT


@shapes
def test_copying_a_huge_value_needs_little_memory(maker: Maker) -> None:
    def copy() -> None:
        copied = 0

        def sink(piece: bytes) -> None:
            nonlocal copied
            copied += len(piece)

        for entry in Reader(Generated(maker(8 * MEBIBYTE))):
            entry.write_value(sink)
            assert copied < entry.finish() < copied + 50

    assert peak_of(copy) < LIMIT


@shapes
def test_the_fingerprint_of_a_huge_value_needs_little_memory(maker: Maker) -> None:
    def read() -> None:
        reader = Reader(Generated(maker(8 * MEBIBYTE)))
        assert len([KeyDigests(reader.dialect).of(entry) for entry in reader]) == 1

    assert peak_of(read) < LIMIT
