"""What a place where archives live can do; `local_place` and `bucket` have the two there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, TypeAlias

VERIFICATION_FILE = "verification.json"

Watch: TypeAlias = Callable[[int], object]
"""Told about stored bytes as they go by: how many more."""


class Readable(Protocol):
    """Whatever holds the files of archives."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def address(self) -> str:
        """The folder or the URL."""
        ...

    def open(self, archive_id: str, file: str) -> BinaryIO:
        """A file, to be read and closed; DamagedPart where it is missing."""
        ...


class Place(Readable, Protocol):
    """Archives at one place. Everything here raises StorageFailed where the place doesn't answer.

    An archive is there if its manifest is: whatever has none is garbage.
    """

    @property
    def name(self) -> str:
        """`local` or `bucket`."""
        ...

    def archive_ids(self) -> list[str]:
        """Names of the complete archives, the oldest first."""
        ...

    def garbage(self) -> list[str]:
        """Names of what unfinished writes and removals left."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one of this machine who writes or removes here; BackupRunning where somebody is."""
        ...

    def clear_garbage(self) -> list[str]:
        """Remove the garbage and say what it was. Under `lock`: another's unfinished archive looks alike."""
        ...

    def files(self, archive_id: str) -> Mapping[str, int]:
        """Every file of an archive (`databases/main.rdb.zst.age`) with its size in bytes; UnknownArchive."""
        ...

    def read(self, archive_id: str, file: str) -> bytes:
        """The content of a small file; DamagedPart where it is missing."""
        ...

    def reading(self, archive_id: str) -> AbstractContextManager[None]:
        """Keep an archive from being removed meanwhile; UnknownArchive. A crash ends it too."""
        ...

    def in_use(self, archive_id: str) -> bool:
        """Whether somebody is `reading`."""
        ...

    def remove(self, archive_id: str) -> None:
        """Remove an archive, the manifest first: a crash leaves garbage. ArchiveInUse, UnknownArchive."""
        ...

    def write_verification(self, archive_id: str, content: bytes | None) -> None:
        """Write `verification.json`, or remove it."""
        ...
