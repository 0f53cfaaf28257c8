"""One archive while it is written: its parts sealed on the way, and their rows of the manifest.

To be used inside the place's lock. Whatever isn't committed when the `with` ends is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from pyrage import x25519

from autobot_ops.backup.archive_writer import ArchiveWriter
from autobot_ops.backup.background import in_background
from autobot_ops.backup.database_content import DatabaseContent, read_database
from autobot_ops.backup.errors import DamagedPart
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import (
    MANIFEST_FILE,
    DatabasePart,
    FilePart,
    Manifest,
    PostgresPart,
    RebuiltVolume,
    Server,
    VolumeContent,
    VolumePart,
    archive_id,
    parse_manifest,
)
from autobot_ops.backup.marks import VerificationMark, sha256_of, write_mark
from autobot_ops.backup.parts import open_part
from autobot_ops.backup.places import Watch
from autobot_ops.backup.plan import PlannedArchive, PlannedDatabase
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import ENCRYPTED_ENDING, SealingWriter
from autobot_ops.backup.stream_copy import CopiedStream
from autobot_ops.backup.verification import verify_part


@dataclass(frozen=True)
class Origin:
    """Whose archives these are, for their manifests. `catalog` is the SHA-256 of the catalogs."""

    project: str
    tool_version: str
    catalog: str


@dataclass(frozen=True)
class Sealing:
    """How archives are closed: the key file's keys, and everybody who can open them."""

    keys: BackupKeys
    recipients: Sequence[x25519.Recipient]


class ArchiveDraft:
    """An archive of one tier in the making."""

    def __init__(
        self,
        place: LocalPlace,
        planned: PlannedArchive,
        taken_at: datetime,
        sealing: Sealing,
    ) -> None:
        self.planned = planned
        self.id = archive_id(taken_at, planned.tier)
        self._place = place
        self._taken_at = taken_at
        self._sealing = sealing
        self._writer = ArchiveWriter(place, self.id)
        self._open: dict[str, SealingWriter] = {}
        self._files: dict[str, str] = {}
        self._postgres: list[PostgresPart] = []
        self._volumes: list[VolumePart] = []
        self._rebuilt: tuple[RebuiltVolume, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._open.values():
            part.abort()
        self._writer.abort()

    def open_database(self, name: str) -> SealingWriter:
        """Where the plain RDB of a database goes."""
        encrypted = next(each.encrypted for each in self.planned.databases if each.name == name)
        return self._open_part(_database_file(name), encrypted=encrypted)

    def open_instance(self) -> SealingWriter:
        """Where the plain RDB of what belongs to no database goes."""
        return self._open_part(_INSTANCE_FILE)

    def open_postgres(self, database: str) -> SealingWriter:
        """Where a dump of PostgreSQL goes; end it with `finish_postgres`."""
        return self._open_part(f"postgres/{database}.dump.zst")

    def finish_postgres(self, content: PostgresContent) -> None:
        """The dump is whole."""
        sealed = self._finish(f"postgres/{content.database}.dump.zst")
        self._postgres.append(PostgresPart(**sealed, content=content))

    def open_volume(self, service: str) -> SealingWriter:
        """Where the tar file of a service's volume goes; end it with `finish_volume`."""
        return self._open_part(f"volumes/{service}.tar.zst")

    def finish_volume(self, content: VolumeContent) -> None:
        """The tar file is whole."""
        sealed = self._finish(f"volumes/{content.service}.tar.zst")
        self._volumes.append(VolumePart(**sealed, content=content))

    def note_rebuilt(self, volumes: Sequence[RebuiltVolume]) -> None:
        """Volumes that aren't in the archive since they can be made again."""
        self._rebuilt = tuple(volumes)

    def commit(
        self, copied: CopiedStream, server: Server, origin: Origin, now: Callable[[], datetime]
    ) -> Manifest:
        """Make it an archive, when the stream has been copied to its end, and mark it as verified.

        Every part is read back first; DamagedPart where the disk doesn't give back what was written.
        """
        keys = self._sealing.keys
        databases = [
            in_background(partial(self._read_back, planned, copied)) for planned in self.planned.databases
        ]
        instance = FilePart(**self._finish(_INSTANCE_FILE)) if _INSTANCE_FILE in self._open else None
        manifest = Manifest(
            id=self.id,
            project=origin.project,
            tier=self.planned.tier,
            complete=self.planned.complete,
            taken_at=self._taken_at,
            ended_at=now(),
            tool_version=origin.tool_version,
            catalog=origin.catalog,
            server=server,
            databases=tuple(databases),
            instance=instance,
            postgres=tuple(self._postgres),
            volumes=tuple(self._volumes),
            rebuilt_volumes=self._rebuilt,
        )
        for part in manifest.parts:
            if not isinstance(part, DatabasePart):
                in_background(partial(self._verify, part))
        self._writer.commit(manifest, keys.seal_key)
        text = self._place.read(self.id, MANIFEST_FILE)
        parse_manifest(text, keys.seal_keys, name=self.id)
        mark = VerificationMark(
            archive=self.id, verified_at=now(), deep=False, manifest_sha256=sha256_of(text)
        )
        write_mark(self._place, mark)
        return manifest

    def _read_back(self, planned: PlannedDatabase, copied: CopiedStream, watch: Watch) -> DatabasePart:
        """The row of a database, its fingerprint from the file that was written: that proves the file too."""
        part = FilePart(**self._finish(_database_file(planned.name)))
        streamed = copied.databases[planned.number]
        identities = self._sealing.keys.identities
        with open_part(self._writer, self.id, part, identities, watch=watch) as plain:
            if streamed.fingerprint is None:
                content = read_database(plain, planned.number, what=part.file)
            else:
                plain.read_rest()
                content = DatabaseContent(streamed.keys, streamed.keys_with_expiry, str(streamed.fingerprint))
        if (content.keys, content.keys_with_expiry) != (streamed.keys, streamed.keys_with_expiry):
            raise DamagedPart(f"{part.file} holds {content.keys} keys instead of {streamed.keys}")
        return DatabasePart(**dict(part), name=planned.name, number=planned.number, **asdict(content))

    def _verify(self, part: FilePart, watch: Watch) -> None:
        verify_part(self._writer, self.id, part, self._sealing.keys, watch=watch)

    def _open_part(self, name: str, *, encrypted: bool = True) -> SealingWriter:
        file = name + ENCRYPTED_ENDING if encrypted else name
        recipients = self._sealing.recipients if encrypted else ()
        self._open[name] = SealingWriter(self._writer.open_part(file), recipients, what=f"{self.id}/{file}")
        self._files[name] = file
        return self._open[name]

    def _finish(self, name: str) -> dict[str, Any]:
        sealed = self._open[name].finish()
        file = self._files[name]
        self._writer.finish_part(file)
        return {
            "file": file,
            "bytes": sealed.plain_bytes,
            "stored_bytes": sealed.stored_bytes,
            "sha256": sealed.sha256,
        }


_INSTANCE_FILE = "instance.rdb.zst"


def _database_file(name: str) -> str:
    return f"databases/{name}.rdb.zst"
