"""Changes to a disk whose order survives a crash. Knows nothing of archives.

Everything that changes a place goes through here, so a test can end the process at every single step.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from autobot_ops.backup.errors import StorageFailed

if TYPE_CHECKING:
    from typing_extensions import Buffer

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def storing(what: str, place: object) -> Iterator[None]:
    """Turn an OSError into StorageFailed: `what` (a sentence's beginning), the reason, and the cure."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            hint = f"Make room at {place}, and run this again."
        elif error.errno in _FORBIDDEN:
            hint = f"Let the user who runs this read and write {place}."
        else:
            hint = f"Look at {place}: is it mounted, is its disk well?"
        raise StorageFailed(f"{what}: {reason}", hint=hint) from error


class NewFile:
    """A file in the making, of mode 0600; FileExistsError where there is one. Its errors are OSErrors."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor: int | None = os.open(path, flags, FILE_MODE)
        self.size = 0

    def write(self, data: Buffer, /) -> int:
        """Take all the bytes."""
        if self._descriptor is None:
            raise ValueError("the file is closed")
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            written = os.write(self._descriptor, left)
            left = left[written:]
            self.size += written
        return size

    def finish(self) -> None:
        """Have it on the disk, and close it. Harmless a second time."""
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            finally:
                self.discard()

    def discard(self) -> None:
        """Close it as it is."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):  # what close has to say, fsync said before, or nobody wants to know
                os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder of mode 0700, and have its name on the disk; FileExistsError where there is one."""
    path.mkdir(FOLDER_MODE)
    sync_folder(path.parent)


def ensure_folder(path: Path) -> None:
    """Make a folder and its parents where they are missing; only the last is for its owner alone."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(FOLDER_MODE if folder == path else 0o777)
        sync_folder(folder.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Put a small file into its place: a crash leaves the former one, or the new one."""
    new = path.with_name(path.name + ".tmp")
    new.unlink(missing_ok=True)
    file = NewFile(new)
    try:
        file.write(content)
        file.finish()
    finally:
        file.discard()
    rename(new, path)


def rename(path: Path, target: Path) -> None:
    """Rename within a folder, and have that on the disk."""
    path.rename(target)
    sync_folder(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file, if it is there, and have that on the disk."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, following no link, and have that on the disk."""
    _remove_folder(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_folder(path: Path) -> None:
    for entry in list(path.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            _remove_folder(entry)
        else:
            entry.unlink()
    path.rmdir()
