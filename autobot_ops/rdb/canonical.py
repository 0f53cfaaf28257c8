"""One value, one canonical form, whatever its encoding: what two servers must agree on.

A value becomes a run of tokens (list, stream) or a bag of records (set, hash, sorted set: their order in
a hash table depends on the process). Short forms are the tokens themselves, bags sorted; long ones are a
digest, for bags the sum of the records' digests, so that memory stays bounded. Which of the two depends
on the logical value alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from autobot_ops.rdb.content import LARGE, LongString
from autobot_ops.rdb.tokens import DIGEST_BYTES

MODULUS = 1 << 8 * DIGEST_BYTES
MOST_RECORDS = 512


def digest_number(data: bytes) -> int:
    """128 bits of `data`."""
    return int.from_bytes(blake2b(data, digest_size=DIGEST_BYTES).digest(), "little")


class Run:
    """A sequence of bytes whose cuts don't count."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    def add(self, piece: bytes) -> None:
        """Append."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGE:
            self._digest.update(b"".join(self._pieces))
            self._pieces.clear()

    def form(self) -> bytes:
        """The canonical form of all that was added."""
        if self._size <= LARGE:
            return b"=" + b"".join(self._pieces)
        self._digest.update(b"".join(self._pieces))
        return b"#" + self._size.to_bytes(8, "little") + self._digest.digest()


class Bag:
    """Records whose order doesn't count."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_size = 0
        self._count = 0
        self._size = 0
        self._sum = 0

    def add(self, record: bytes) -> None:
        """Put one in."""
        self._held.append(record)
        self._held_size += len(record)
        if len(self._held) > MOST_RECORDS or self._held_size > LARGE:
            self._fold()

    def _fold(self) -> None:
        self._count += len(self._held)
        self._size += self._held_size
        self._sum += sum(map(digest_number, self._held))
        self._held.clear()
        self._held_size = 0

    def form(self) -> bytes:
        """The canonical form of all that was put in."""
        if not self._count and len(self._held) <= MOST_RECORDS:
            return b"=" + b"".join(sorted(self._held))
        self._fold()
        total = self._sum % MODULUS
        return b"+" + self._count.to_bytes(8, "little") + total.to_bytes(DIGEST_BYTES, "little")


def string_form(text: bytes | LongString) -> bytes:
    """The form of a plain string."""
    run = Run()
    for piece in (text,) if isinstance(text, bytes) else text:
        run.add(piece)
    return run.form()


def bag_form(records: Iterable[bytes]) -> bytes:
    """The form of a set, hash or sorted set, whose records may come in any order."""
    bag = Bag()
    for record in records:
        bag.add(record)
    return bag.form()


def run_form(tokens: Iterable[bytes]) -> bytes:
    """The form of a list."""
    run = Run()
    for each in tokens:
        run.add(each)
    return run.form()
