"""Writing one archive so that it is there as a whole or not at all.

Order: parts, each synced; their folders; the manifest (a temporary file, synced, renamed, its folder
synced); the folder's rename from `<id>.partial` to `<id>`, and the sync of its parent: the commit. A crash
before that leaves a `.partial` folder, which is garbage and which the next backup clears.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from autobot_ops.backup.durable_files import (
    NewFile,
    make_folder,
    remove_folder,
    rename,
    replace_file,
    storing,
    sync_folder,
)
from autobot_ops.backup.errors import ArchiveExists, StorageFailed
from autobot_ops.backup.key_file import SealKey
from autobot_ops.backup.local_place import PARTIAL_ENDING, LocalPlace
from autobot_ops.backup.manifest import MANIFEST_FILE, Manifest, render_manifest


class ArchiveWriter:
    """An archive in the making; what isn't committed when its `with` ends is removed.

    To be used under the place's `lock`. StorageFailed wherever the place fails, ArchiveExists where the
    name is taken.
    """

    def __init__(self, place: LocalPlace, archive_id: str) -> None:
        self._place = place
        self._id = archive_id
        self._target = place.folder / archive_id
        self._partial = place.folder / (archive_id + PARTIAL_ENDING)
        self._parts: dict[str, NewFile] = {}
        self._folders: set[Path] = set()
        self._done = False
        if self._target.exists():
            raise ArchiveExists(f"there is an archive {archive_id} already", hint="Run the backup again.")
        with self._storing("can't be begun"):
            make_folder(self._partial)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def open_part(self, file: str) -> NewFile:
        """A new file (`databases/main.rdb.zst.age`) to write sealed bytes to; `finish` it when all are there.

        What writes to it gets OSErrors: SealingWriter says them as StorageFailed.
        """
        path = self._partial / file
        with self._storing(f"can't take {file}"):
            if path.parent != self._partial and path.parent not in self._folders:
                make_folder(path.parent)
                self._folders.add(path.parent)
            self._parts[file] = opened = NewFile(path)
        return opened

    @property
    def name(self) -> str:
        """Of the place, for whom the written parts are read back by; see places.Readable."""
        return self._place.name

    @property
    def address(self) -> str:
        """Of the place."""
        return self._place.address

    def open(self, archive_id: str, file: str) -> BinaryIO:
        """A finished part, to be read back and closed."""
        with self._storing(f"can't be read back: {file}"):
            return (self._partial / file).open("rb")

    def finish_part(self, file: str) -> None:
        """Have a part on the disk. `commit` does it for those that were not."""
        with self._storing(f"can't keep {file}"):
            self._parts[file].finish()

    def commit(self, manifest: Manifest, key: SealKey) -> None:
        """Make it an archive. The manifest must name exactly the parts that were written (ValueError)."""
        named = {part.file: part.stored_bytes for part in manifest.parts}
        if manifest.id != self._id or named != {file: part.size for file, part in self._parts.items()}:
            raise ValueError("the manifest isn't that of the parts that were written")
        for file in self._parts:
            self.finish_part(file)
        with self._storing("can't be finished"):
            for folder in sorted(self._folders):
                sync_folder(folder)
            replace_file(self._partial / MANIFEST_FILE, render_manifest(manifest, key))
        try:
            with self._storing("can't be finished"):
                rename(self._partial, self._target)
        except StorageFailed:
            # Renamed, but perhaps not on the disk: nothing may be promised, so it is taken back.
            with suppress(OSError):
                self._target.rename(self._partial)
            raise
        self._done = True

    def abort(self) -> None:
        """Give it up, if it isn't committed. What can't be removed now is garbage for the next backup."""
        if self._done:
            return
        self._done = True
        for part in self._parts.values():
            part.discard()
        with suppress(OSError):
            remove_folder(self._partial)

    def _storing(self, what: str) -> AbstractContextManager[None]:
        return storing(f"archive {self._id} {what}", self._place.folder)
