"""Short digests of many keys on disk, to compare two sets of keys in bounded memory.

Records are spread over 256 partitions by the hash of the key's name (Python's own, which differs from
process to process), so two spools of one process can be compared partition by partition.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from autobot_ops.migration.plan_file import DIGEST_MASK, no_room

PARTITIONS = 256
_HELD = 3 * 512

KeyPlace = tuple[int, int]
"""(hash of the name, database number)"""


class DigestSpool:
    """Takes records, then gives them back by partition. Its file has no name, and ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by close)
        self._held = [array("q") for _ in range(PARTITIONS)]
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(PARTITIONS)]
        self._size = 0
        self.records = 0

    def add(self, database: int, key: bytes, digest: int) -> None:
        """Keep a key's digest."""
        name = hash(key)
        held = self._held[name & (PARTITIONS - 1)]
        held.append(name)
        held.append(database)
        held.append(digest & DIGEST_MASK)
        self.records += 1
        if len(held) == _HELD:
            self._write(name & (PARTITIONS - 1))

    def partition(self, number: int) -> Iterator[tuple[KeyPlace, int]]:
        """The records of a partition: ((hash, database), digest)."""
        self._write(number)
        for offset, size in self._extents[number]:
            self._file.seek(offset)
            values = array("q", self._file.read(size))
            for at in range(0, len(values), 3):
                yield (values[at], values[at + 1]), values[at + 2]

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):  # what can't be written any more isn't missed
            self._file.close()

    def _write(self, number: int) -> None:
        data = self._held[number].tobytes()
        if data:
            try:
                self._file.seek(self._size)
                self._file.write(data)
            except OSError as error:
                raise no_room(self._folder, error) from error
            self._extents[number].append((self._size, len(data)))
            self._size += len(data)
            self._held[number] = array("q")
