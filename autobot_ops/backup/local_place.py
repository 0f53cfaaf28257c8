"""Archives in a folder of this machine: `<backup_dir>/<project>/<archive id>/`.

Locks are flocks: the kernel gives them up with the process that held them. The place's own is on `.lock`,
that of an archive's readers on its manifest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import BinaryIO

from autobot_ops.backup.durable_files import (
    ensure_folder,
    remove_file,
    remove_folder,
    replace_file,
    storing,
)
from autobot_ops.backup.errors import ArchiveInUse, DamagedPart, UnknownArchive
from autobot_ops.backup.locks import lock_file
from autobot_ops.backup.manifest import MANIFEST_FILE, is_archive_id
from autobot_ops.backup.places import VERIFICATION_FILE

PARTIAL_ENDING = ".partial"
LOCK_FILE = ".lock"


class LocalPlace:
    """See `places.Place`. The folder is made by who writes there; a missing one holds nothing."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def address(self) -> str:
        """The folder."""
        return str(self.folder)

    def archive_ids(self) -> list[str]:
        """Names of the complete archives, the oldest first."""
        return sorted(name for name in self._folders() if is_archive_id(name) and self._has_manifest(name))

    def garbage(self) -> list[str]:
        """Names of folders that were never finished, or whose removal wasn't; nothing else is looked at."""
        return sorted(
            name
            for name in self._folders()
            if is_archive_id(name.removesuffix(PARTIAL_ENDING))
            and (name.endswith(PARTIAL_ENDING) or not self._has_manifest(name))
        )

    def clear_garbage(self) -> list[str]:
        """Remove the garbage and say what it was. Under `lock`: another's unfinished archive looks alike."""
        found = self.garbage()
        for name in found:
            with storing(f"{name} can't be cleared away", self.folder):
                remove_folder(self.folder / name)
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who writes or removes here; BackupRunning where somebody else is."""
        with storing("the backup folder can't be written", self.folder):
            ensure_folder(self.folder)
        with lock_file(self.folder / LOCK_FILE):
            yield

    def files(self, archive_id: str) -> dict[str, int]:
        """Every file of an archive with its size in bytes; UnknownArchive."""
        folder = self._archive(archive_id)
        if not folder.is_dir():
            raise UnknownArchive(archive_id, self.address)
        found: dict[str, int] = {}
        with storing(f"{archive_id} can't be read", self.folder):
            for path in folder.rglob("*"):
                with suppress(FileNotFoundError):  # removed while we look
                    if path.is_file():
                        found[path.relative_to(folder).as_posix()] = path.stat().st_size
        return found

    def path(self, archive_id: str, file: str) -> Path:
        """Where a file of an archive is."""
        return self._archive(archive_id) / file

    def open(self, archive_id: str, file: str) -> BinaryIO:
        """A file, to be read and closed; DamagedPart where it is missing."""
        path = self.path(archive_id, file)
        with storing(f"{archive_id}/{file} can't be read", self.folder):
            try:
                return path.open("rb")
            except FileNotFoundError as error:
                raise DamagedPart(f"{file} of {archive_id} is missing") from error

    def read(self, archive_id: str, file: str) -> bytes:
        """The content of a small file; DamagedPart where it is missing."""
        with (
            storing(f"{archive_id}/{file} can't be read", self.folder),
            self.open(archive_id, file) as opened,
        ):
            return opened.read()

    @contextmanager
    def reading(self, archive_id: str) -> Iterator[None]:
        """Keep an archive from being removed meanwhile; UnknownArchive."""
        path = self.path(archive_id, MANIFEST_FILE)
        descriptor = self._open_manifest(archive_id, os.O_RDONLY)
        try:
            # Waits only for a removal; afterwards the path shows whether there was one.
            flock(descriptor, LOCK_SH)
            if not path.exists() or path.stat().st_ino != os.fstat(descriptor).st_ino:
                raise UnknownArchive(archive_id, self.address)
            yield
        finally:
            os.close(descriptor)

    def in_use(self, archive_id: str) -> bool:
        """Whether somebody is `reading`."""
        descriptor = self._open_manifest(archive_id, os.O_RDWR)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self, archive_id: str) -> None:
        """Remove an archive, the manifest first: a crash leaves garbage. ArchiveInUse, UnknownArchive."""
        folder = self._archive(archive_id)
        descriptor = self._open_manifest(archive_id, os.O_RDWR)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            with storing(f"{archive_id} can't be removed", self.folder):
                remove_file(folder / MANIFEST_FILE)
                remove_folder(folder)
        except BlockingIOError as error:
            raise ArchiveInUse(
                f"{archive_id} is being read", hint="Wait until the restore or verification has ended."
            ) from error
        finally:
            os.close(descriptor)

    def write_verification(self, archive_id: str, content: bytes | None) -> None:
        """Write `verification.json`, or remove it."""
        path = self.path(archive_id, VERIFICATION_FILE)
        with storing(f"{archive_id} can't be marked", self.folder):
            if content is None:
                remove_file(path)
            else:
                replace_file(path, content)

    def _folders(self) -> list[str]:
        with storing("the backup folder can't be read", self.folder):
            try:
                with os.scandir(self.folder) as entries:
                    return [entry.name for entry in entries if entry.is_dir()]
            except FileNotFoundError:
                return []

    def _has_manifest(self, name: str) -> bool:
        with storing(f"{name} can't be read", self.folder):
            try:
                (self.folder / name / MANIFEST_FILE).lstat()
            except FileNotFoundError:
                return False
        return True

    def _archive(self, archive_id: str) -> Path:
        if not is_archive_id(archive_id):  # before it becomes part of a path
            raise UnknownArchive(archive_id, self.address)
        return self.folder / archive_id

    def _open_manifest(self, archive_id: str, mode: int) -> int:
        with storing(f"{archive_id} can't be read", self.folder):
            try:
                return os.open(self._archive(archive_id) / MANIFEST_FILE, mode | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise UnknownArchive(archive_id, self.address) from error
