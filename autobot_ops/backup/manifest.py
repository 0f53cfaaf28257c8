"""The manifest of an archive: what was backed up, and what must be found again. Pure.

docs/formats/backup-archive.md has the format. The text is JSON; its member `seal` is an HMAC-SHA256 over
everything else (sorted keys, no blanks, UTF-8), so an edited manifest is told from a written one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autobot_ops.backup.errors import AlteredManifest, DamagedManifest, UnknownFormat, WrongKey
from autobot_ops.backup.key_file import SealKey
from autobot_ops.backup.postgres_content import PostgresContent

FORMAT = 1
MANIFEST_FILE = "manifest.json"
_ID = re.compile(r"(\d{8}T\d{6}\.\d{3})Z-([a-z][a-z0-9_-]*)")
_SAFE_FILE = r"^[a-z0-9_-]+(/[A-Za-z0-9_.-]+)?$|^[a-z0-9_-]+(\.[a-z0-9]+)+$"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilePart(_Row):
    """One file of an archive. Sizes are bytes; `sha256` is of the file as it is stored."""

    file: str = Field(pattern=_SAFE_FILE)
    bytes: int = Field(ge=0)
    stored_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def encrypted(self) -> bool:
        """Whether the file is encrypted."""
        return self.file.endswith(".age")


class DatabasePart(FilePart):
    """One database: `bytes` is the size of its plain RDB file, `fingerprint` that of autobot_ops.rdb."""

    name: str
    number: int = Field(ge=0)
    keys: int = Field(ge=0)
    keys_with_expiry: int = Field(ge=0)
    fingerprint: str = Field(pattern=r"^\d+:[0-9a-f]{32}$")


class PostgresPart(FilePart):
    """A database of PostgreSQL, dumped in its custom format, and what is in it."""

    content: PostgresContent


class VolumeContent(_Row):
    """What a service's data volume holds: how many files, and the sum of their sizes in bytes."""

    service: str
    files: int = Field(ge=0)
    size: int = Field(ge=0)


class VolumePart(FilePart):
    """A volume that can't be rebuilt, as a tar file, and what is in it."""

    content: VolumeContent


class RebuiltVolume(_Row):
    """A volume that isn't in the archive, because its service makes it again."""

    service: str
    rebuilt_from: str


class Server(_Row):
    """The Redis server that the stream came from. The offset is its replication offset before the stream."""

    version: str
    run_id: str
    replication_id: str
    replication_offset: int
    rdb_header: str


class Manifest(_Row):
    """One archive: one tier at one point in time.

    `complete` says that all databases of the tier are there; `inv backup --database` makes archives that
    aren't. `catalog` is the SHA-256 of the list of databases.
    """

    format: int = FORMAT
    id: str
    project: str
    tier: str
    complete: bool
    taken_at: AwareDatetime
    ended_at: AwareDatetime
    tool_version: str
    catalog: str
    server: Server
    databases: tuple[DatabasePart, ...]
    instance: FilePart | None = None
    postgres: tuple[PostgresPart, ...] = ()
    volumes: tuple[VolumePart, ...] = ()
    rebuilt_volumes: tuple[RebuiltVolume, ...] = ()

    @property
    def parts(self) -> Iterator[FilePart]:
        """Every file but the manifest."""
        yield from self.databases
        if self.instance is not None:
            yield self.instance
        yield from self.postgres
        yield from self.volumes

    @property
    def stored_bytes(self) -> int:
        """Of all files but the manifest."""
        return sum(part.stored_bytes for part in self.parts)

    def database(self, name: str) -> DatabasePart | None:
        """The part of a database, by its name."""
        return next((part for part in self.databases if part.name == name), None)


def archive_id(taken_at: datetime, tier: str) -> str:
    """`20261123T041820.123Z-critical`: sorts by time."""
    moment = taken_at.astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z-{tier}"


def is_archive_id(text: str) -> bool:
    """Whether a folder of this name may be an archive."""
    return _ID.fullmatch(text) is not None


def render_manifest(manifest: Manifest, key: SealKey) -> bytes:
    """The text of a manifest, sealed; ends with a line end."""
    document = manifest.model_dump(mode="json")
    document["seal"] = {"recipient": key.recipient, "hmac_sha256": _seal(document, key)}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def parse_manifest(text: bytes, keys: Mapping[str, SealKey] | None, *, name: str) -> Manifest:
    """A manifest from its text, its seal checked with one of the keys; `name` is the archive's folder.

    With None for the keys the seal is *not* checked: for lists, never for a restore. Raises
    DamagedManifest, AlteredManifest, UnknownFormat, WrongKey.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        seal = document.pop("seal")
        recipient, code = str(seal["recipient"]), str(seal["hmac_sha256"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedManifest(f"the manifest of {name} can't be read") from error
    if keys is not None:
        key = keys.get(recipient)
        if key is None:
            raise WrongKey(f"the manifest of {name}, sealed for {recipient}")
        if not hmac.compare_digest(_seal(document, key), code):
            raise AlteredManifest(f"the manifest of {name} was changed after it was written")
    if document.get("format") != FORMAT:
        raise UnknownFormat(document.get("format"))
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedManifest(f"the manifest of {name} is wrong at {where}: {first['msg']}") from error
    if manifest.id != name:
        raise AlteredManifest(f"the folder {name} holds the manifest of {manifest.id}")
    return manifest


def _seal(document: Mapping[str, Any], key: SealKey) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
