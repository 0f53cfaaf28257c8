"""What a restore needs of an archive: one database's plain RDB, as often as it is read, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from autobot_ops.rdb.window import Source

PlainFile = Callable[[], AbstractContextManager[Source]]
"""Opens the plain RDB of a part at its beginning, each time it is called."""


class PartFigures(Protocol):
    """What a manifest says of a database; `backup.manifest.DatabasePart` is one."""

    @property
    def name(self) -> str:
        """Its name in the catalog."""

    @property
    def keys(self) -> int:
        """All keys, those with expiry included."""

    @property
    def keys_with_expiry(self) -> int:
        """Keys with a time to live."""

    @property
    def bytes(self) -> int:
        """Size of the plain RDB file."""

    @property
    def fingerprint(self) -> str:
        """Text of a `rdb.fingerprint.Fingerprint`."""


@dataclass(frozen=True)
class ArchivePart:
    """One database in one archive."""

    archive: str
    figures: PartFigures
    open: PlainFile
