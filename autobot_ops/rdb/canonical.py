"""One value, one canonical form, whatever its encoding: what two servers must agree on.

A value becomes a run of tokens (list, stream) or a bag of records (set, hash, sorted set: their order in
a hash table depends on the process). Short forms are the tokens themselves, bags sorted; long ones are a
digest, for bags the sum of the records' digests, so that memory stays bounded. Bags of more than
MOST_RECORDS are nearly always hash tables, so their records are what a hash table has in the file: plain
strings, scores of eight bytes. Which of these it is depends on the logical value alone.
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


def run_form(tokens: Iterable[bytes]) -> bytes:
    """The form of a list."""
    run = Run()
    for each in tokens:
        run.add(each)
    return run.form()


def string_form(text: bytes | LongString) -> bytes:
    """The form of a plain string."""
    return run_form((text,) if isinstance(text, bytes) else text)


def small_bag_form(records: Iterable[bytes]) -> bytes:
    """The form of up to MOST_RECORDS records, each made of tokens, in any order."""
    held: list[bytes] = []
    size = total = folded = 0
    for record in records:
        held.append(record)
        size += len(record)
        if size > LARGE:
            total += sum(map(digest_number, held))
            folded += len(held)
            held.clear()
    if not folded:
        held.sort()
        return b"=" + b"".join(held)
    return big_bag_form(folded + len(held), total + sum(map(digest_number, held)))


def big_bag_form(count: int, total: int) -> bytes:
    """The form of a bag of which only the sum of the records' digests is known."""
    return b"+" + count.to_bytes(8, "little") + (total % MODULUS).to_bytes(DIGEST_BYTES, "little")
