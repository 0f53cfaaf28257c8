"""Verifying an archive: everything that its manifest promises, and in the deep form a drill of the restore.

No clock in here. A restore doesn't rely on an earlier verification: it reads with `open_part` too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autobot_ops.backup.database_content import DatabaseContent, read_database
from autobot_ops.backup.errors import DamagedArchive, DamagedPart, WrongKey
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.manifest import (
    MANIFEST_FILE,
    DatabasePart,
    FilePart,
    Manifest,
    PostgresPart,
    VolumePart,
    parse_manifest,
)
from autobot_ops.backup.marks import VerificationMark, sha256_of, write_mark
from autobot_ops.backup.parts import PlainPart, open_part
from autobot_ops.backup.places import Place, Readable, Watch
from autobot_ops.errors import RefusedForSafety
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.window import Source

_Opened = Callable[[], AbstractContextManager[PlainPart]]

DUMP_BEGINS = b"PGDMP"


class VerificationFailed(DamagedArchive):
    """Parts of an archive aren't what its manifest says; the message names each."""


class Drill(Protocol):
    """A throwaway server."""

    def reload(self, rdb: Source, /) -> AbstractContextManager[Source]:
        """Load a plain RDB, read to its end, and give the RDB that the server makes of it."""
        ...


CheckDump = Callable[[Source], object]
"""Looks deeper into a dump of PostgreSQL; raises DamagedPart."""


@dataclass(frozen=True)
class DeepChecks:
    """What the deep form uses."""

    drill: Drill
    check_dump: CheckDump | None = None


def verify_archive(
    place: Place,
    archive_id: str,
    keys: BackupKeys,
    *,
    now: datetime,
    deep: DeepChecks | None = None,
    watch: Watch | None = None,
) -> VerificationMark:
    """Verify all of an archive and mark it; nobody can remove it meanwhile.

    Raises VerificationFailed for damage, after all parts were looked at and the mark was removed;
    AlteredManifest and its like, the mark removed too; WrongKey and StorageFailed, which say nothing of the
    archive, so a mark stays; UnknownArchive; and what the drill raises where it can't be held.
    """
    with place.reading(archive_id):
        try:
            text = place.read(archive_id, MANIFEST_FILE)
            manifest = parse_manifest(text, keys.seal_keys, name=archive_id)
            _verify_parts(_Verification(place, manifest, keys, deep, watch))
        except DamagedArchive:
            place.write_verification(archive_id, None)
            raise
        mark = VerificationMark(
            archive=archive_id, verified_at=now, deep=deep is not None, manifest_sha256=sha256_of(text)
        )
        write_mark(place, mark)
    return mark


@dataclass(frozen=True)
class _Verification:
    place: Place
    manifest: Manifest
    keys: BackupKeys
    deep: DeepChecks | None
    watch: Watch | None


def _verify_parts(asked: _Verification) -> None:
    failures: list[RefusedForSafety] = []
    messages: list[str] = []
    for part in asked.manifest.parts:
        try:
            verify_part(asked.place, asked.manifest.id, part, asked.keys, deep=asked.deep, watch=asked.watch)
        except WrongKey:
            raise
        except RefusedForSafety as error:
            failures.append(error)
            named = part.file in error.message
            message = error.message if named else f"{part.file}: {error.message}"
            messages.append(message.replace(f" of {asked.manifest.id}", ""))
    if failures:
        raise VerificationFailed(
            f"archive {asked.manifest.id} at {asked.place.name} is damaged: {'; '.join(messages)}"
        ) from failures[0]


def verify_part(
    place: Readable,
    archive_id: str,
    part: FilePart,
    keys: BackupKeys,
    *,
    deep: DeepChecks | None = None,
    watch: Watch | None = None,
) -> None:
    """One part: its stored bytes, and that its content is what the manifest says."""

    def opened() -> AbstractContextManager[PlainPart]:
        return open_part(place, archive_id, part, keys.identities, watch=watch)

    if isinstance(part, DatabasePart):
        _verify_database(opened, part, deep)
    elif isinstance(part, PostgresPart):
        _verify_dump(opened, part, deep)
    elif isinstance(part, VolumePart):
        with opened() as plain:
            plain.read_rest()
    else:
        with opened() as plain:
            for entry in Reader(plain):
                raise DamagedPart(f"{part.file} holds a key of database {entry.database}")


def _verify_database(opened: _Opened, part: DatabasePart, deep: DeepChecks | None) -> None:
    promised = DatabaseContent.of(part)
    with opened() as plain:
        stored = read_database(plain, part.number, what=part.file)
    if difference := stored.difference(promised):
        raise DamagedPart(f"{part.file} holds {difference}")
    if deep is None:
        return
    with opened() as plain, deep.drill.reload(plain) as loaded:
        served = read_database(loaded, part.number, what=part.file)
    if difference := served.difference(promised):
        raise DamagedPart(f"a server that loaded {part.file} holds {difference}")


def _verify_dump(opened: _Opened, part: PostgresPart, deep: DeepChecks | None) -> None:
    with opened() as plain:
        begins = plain.read(len(DUMP_BEGINS))
        while len(begins) < len(DUMP_BEGINS) and (more := plain.read(len(DUMP_BEGINS) - len(begins))):
            begins += more
        if begins != DUMP_BEGINS:
            raise DamagedPart(f"{part.file} is no dump of pg_dump")
    if deep is not None and deep.check_dump is not None:
        with opened() as plain:
            deep.check_dump(plain)
