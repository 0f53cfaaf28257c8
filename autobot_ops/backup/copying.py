"""Copying a committed archive into the bucket, and getting single parts back.

Everything is proved by reading it back and hashing it: a storage's own checksum is often one of the upload's
pieces, or just what the client claimed. That also is how a copy that broke off is resumed: what is there and
proved isn't sent again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.durable_files import NewFile, storing
from autobot_ops.backup.errors import DamagedPart, StorageFailed
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.manifest import MANIFEST_FILE, FilePart, parse_manifest
from autobot_ops.backup.marks import VerificationMark, read_mark, write_mark
from autobot_ops.backup.places import Place, Watch

ATTEMPTS = 3
_PIECE_BYTES = 1024 * 1024


class CopyFailed(StorageFailed):
    """A file arrives changed, however often it is sent."""


def copy_archive(
    source: Place, archive_id: str, target: BucketPlace, keys: BackupKeys, *, watch: Watch | None = None
) -> None:
    """Copy an archive into the bucket: its parts, each proved there, and its manifest at the end.

    Under the target's `lock`. A mark of verification goes with it, since the bytes are the same. `watch` is
    told the bytes that are sent and those that are read back. An archive that is there already is proved
    again. Raises StorageFailed (what was proved stays for the next attempt), and DamagedPart where the
    source's own file isn't what its manifest says.
    """
    with source.reading(archive_id):
        text = source.read(archive_id, MANIFEST_FILE)
        manifest = parse_manifest(text, keys.seal_keys, name=archive_id)
        for part in manifest.parts:
            _copy_part(source, archive_id, part, target, watch)
        _copy_manifest(target, archive_id, text)
        mark = read_mark(source, archive_id, text)
        if mark is not None:
            write_mark(target, _best(mark, read_mark(target, archive_id, text)))


def fetch_part(source: Place, archive_id: str, part: FilePart, path: Path) -> None:
    """Get one stored file of an archive into a new file, proved; nothing is left when it fails.

    A restore from the bucket may do this first: then nothing can break off in the middle of it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if _fetch(source, archive_id, part, path):
                return
        except StorageFailed:
            if attempt == ATTEMPTS:
                raise
    raise DamagedPart(f"{part.file} of {archive_id} at {source.name} isn't what its manifest says")


def _fetch(source: Place, archive_id: str, part: FilePart, path: Path) -> bool:
    proved = False
    with source.open(archive_id, part.file) as opened, storing(f"{path.name} can't be written", path.parent):
        file = NewFile(path)
        try:
            proof = _Proof(part)
            while data := opened.read(_PIECE_BYTES):
                file.write(data)
                if not proof.goes_on(data):
                    break
            file.finish()
            proved = proof.holds
        finally:
            file.discard()
            if not proved:
                path.unlink(missing_ok=True)
    return proved


def _copy_part(
    source: Place, archive_id: str, part: FilePart, target: BucketPlace, watch: Watch | None
) -> None:
    failure: StorageFailed | None = None
    for attempt in range(ATTEMPTS + 1):
        try:
            if _is_proved(target, archive_id, part, watch):
                return
            if attempt < ATTEMPTS:
                with source.open(archive_id, part.file) as opened:
                    target.upload(archive_id, part.file, opened, part.stored_bytes, watch=watch)
        except StorageFailed as error:
            failure = error
    if not _is_proved(source, archive_id, part):
        raise DamagedPart(f"{part.file} of {archive_id} at {source.name} isn't what its manifest says")
    raise failure or CopyFailed(
        f"{part.file} of {archive_id} arrives changed at {target.address}",
        hint="The storage, or the way to it, alters data: check it. The archive itself is unhurt.",
    )


def _copy_manifest(target: BucketPlace, archive_id: str, text: bytes) -> None:
    for _ in range(ATTEMPTS):
        target.put(archive_id, MANIFEST_FILE, text)
        if target.read(archive_id, MANIFEST_FILE) == text:
            return
    target.remove(archive_id)
    raise CopyFailed(
        f"the manifest of {archive_id} arrives changed at {target.address}",
        hint="The storage, or the way to it, alters data: check it. The archive itself is unhurt.",
    )


def _is_proved(place: Place, archive_id: str, part: FilePart, watch: Watch | None = None) -> bool:
    """Whether a place gives exactly the bytes of the manifest."""
    proof = _Proof(part)
    try:
        with (
            place.open(archive_id, part.file) as opened,
            storing(f"{place.name} doesn't answer", place.address),
        ):
            while data := opened.read(_PIECE_BYTES):
                if not proof.goes_on(data):
                    return False
                if watch is not None:
                    watch(len(data))
    except DamagedPart:  # it isn't there
        return False
    return proof.holds


class _Proof:
    """Whether bytes that go by are those that the manifest says."""

    def __init__(self, part: FilePart) -> None:
        self._part = part
        self._size = 0
        self._digest = hashlib.sha256()

    def goes_on(self, data: bytes) -> bool:
        """Take more; False once there are too many."""
        self._size += len(data)
        self._digest.update(data)
        return self._size <= self._part.stored_bytes

    @property
    def holds(self) -> bool:
        return (self._size, self._digest.hexdigest()) == (self._part.stored_bytes, self._part.sha256)


def _best(new: VerificationMark, there: VerificationMark | None) -> VerificationMark:
    """The later of two marks of the same archive, unless the other went deeper."""
    if there is None:
        return new
    return max(new, there, key=lambda mark: (mark.deep, mark.verified_at))
