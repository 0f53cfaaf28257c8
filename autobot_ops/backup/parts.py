"""Reading a part of an archive: decrypted, decompressed, and held against what the manifest says.

What is read is unproven until the `with` has ended without an error: only then size and SHA-256 of the
stored bytes and the size of the plain ones are known to be those of the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

from pyrage import x25519

from autobot_ops.backup.durable_files import storing
from autobot_ops.backup.errors import DamagedPart, StorageFailed
from autobot_ops.backup.manifest import FilePart
from autobot_ops.backup.places import Readable, Watch
from autobot_ops.backup.sealing import PIECE_BYTES, SealedReader
from autobot_ops.errors import RefusedForSafety


class PlainPart:
    """The plain bytes of a part: read it like a file."""

    def __init__(self, reader: SealedReader, part: FilePart) -> None:
        self._reader = reader
        self._part = part
        self.size = 0

    def read(self, size: int = PIECE_BYTES, /) -> bytes:
        """Up to `size` bytes; none at the end. DamagedPart, WrongKey."""
        data = self._reader.read(size)
        self.size += len(data)
        if self.size > self._part.bytes:
            raise DamagedPart(f"{self._part.file} holds more than {self._part.bytes} bytes")
        return data

    def read_rest(self) -> None:
        """Read to the end and check that it is where it should be."""
        while self.read():
            pass
        if self.size != self._part.bytes:
            raise DamagedPart(f"{self._part.file} holds {self.size} bytes instead of {self._part.bytes}")


@contextmanager
def open_part(
    place: Readable,
    archive_id: str,
    part: FilePart,
    identities: Sequence[x25519.Identity],
    *,
    watch: Watch | None = None,
) -> Iterator[PlainPart]:
    """The plain bytes of a part, which is read to its end in any case.

    When the block fails over the content, the stored bytes are checked first, since a wrong checksum says
    more than its consequences. Raises DamagedPart, WrongKey, StorageFailed.
    """
    with place.open(archive_id, part.file) as file:
        stored = _StoredBytes(file, watch)
        reader = SealedReader(
            cast(BinaryIO, stored), identities, encrypted=part.encrypted, what=f"{part.file} of {archive_id}"
        )
        plain = PlainPart(reader, part)
        try:
            yield plain
            plain.read_rest()
        except RefusedForSafety:  # whatever found fault with the content, or had no key for it
            reader.close()  # ends its thread, which reads the same file
            stored.raise_failure(place)
            stored.check(part, archive_id, place)
            raise
        finally:
            reader.close()
        stored.check(part, archive_id, place)


class _StoredBytes:
    """Hashes what goes by, and keeps an error of the file, which the decryption takes for damage."""

    def __init__(self, file: BinaryIO, watch: Watch | None) -> None:
        self._file = file
        self._watch = watch
        self._size = 0
        self._digest = hashlib.sha256()
        self._failure: Exception | None = None

    def read(self, size: int = PIECE_BYTES, /) -> bytes:
        try:
            data = self._file.read(size)
        except (OSError, StorageFailed) as error:
            self._failure = error
            raise
        self._size += len(data)
        self._digest.update(data)
        if self._watch is not None:
            self._watch(len(data))
        return data

    def raise_failure(self, place: Readable) -> None:
        if self._failure is not None:
            with storing(f"archives at {place.name} can't be read", place.address):
                raise self._failure

    def check(self, part: FilePart, archive_id: str, place: Readable) -> None:
        with storing(f"archives at {place.name} can't be read", place.address):
            while self.read():
                pass
        if self._size != part.stored_bytes:
            raise DamagedPart(
                f"{part.file} of {archive_id} has {self._size} bytes instead of {part.stored_bytes}"
            )
        if self._digest.hexdigest() != part.sha256:
            raise DamagedPart(f"{part.file} of {archive_id} has another checksum than its manifest says")
