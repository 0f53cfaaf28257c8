"""One value, one canonical form, whatever its encoding: what two servers must agree on.

A value becomes a run of tokens (list, stream) or a bag of records (set, hash, sorted set: their order in
a hash table depends on the process). Short forms are the tokens themselves, bags sorted; long ones are a
digest, for bags the sum of the records' digests, so that memory stays bounded. Strings and what nearly
always is a hash table (sets, bags of more than MOST_RECORDS) have the form that the file has when nothing
is compressed, so that most of it needn't be touched. Which of these it is depends on the logical value
alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from xxhash import xxh3_128, xxh3_128_intdigest

from autobot_ops.rdb.content import LARGE, whole
from autobot_ops.rdb.tokens import DIGEST_BYTES, plain

MODULUS = 1 << 8 * DIGEST_BYTES
MOST_RECORDS = 512


def plain_form(stored: bytes) -> bytes:
    """The plain form of a stored string that stands in memory."""
    return plain(whole(stored, 0)[0])


class Run:
    """A sequence of bytes whose cuts don't count."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._digest = xxh3_128()

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


def small_bag_form(records: Iterable[bytes]) -> bytes:
    """The form of up to MOST_RECORDS records, each made of tokens, in any order."""
    held: list[bytes] = []
    size = total = folded = 0
    for record in records:
        held.append(record)
        size += len(record)
        if size > LARGE:
            total += sum(map(xxh3_128_intdigest, held))
            folded += len(held)
            held.clear()
    if not folded:
        held.sort()
        return b"=" + b"".join(held)
    return big_bag_form(folded + len(held), total + sum(map(xxh3_128_intdigest, held)))


def big_bag_form(count: int, total: int) -> bytes:
    """The form of a bag of which only the sum of the records' digests is known."""
    return b"+" + count.to_bytes(8, "little") + (total % MODULUS).to_bytes(DIGEST_BYTES, "little")
