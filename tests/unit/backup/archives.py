"""Small archives for tests: real files, real seals, real RDB content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO

from pyrage import x25519

from autobot_ops.backup.archive_writer import ArchiveWriter
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import DatabasePart, FilePart, Manifest, PostgresPart
from autobot_ops.backup.postgres_content import PostgresContent, TableContent
from autobot_ops.backup.sealing import Sealed, SealingWriter
from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes
from tests.unit.backup.manifests import TAKEN_AT, manifest

KEYS = BackupKeys((x25519.Identity.generate(),))
FUNCTION = b"#!lua name=library\nredis.register_function('one', function() return 1 end)"
CONTENT = PostgresContent(
    database="autobot",
    server_version="15.1",
    size=8_000_000,
    tables={"knowledge.entries": TableContent(rows=3, hash="1")},
    sequences={},
)


def rdb_of(number: int, keys: int = 20, *, text: bytes = b"value") -> bytes:
    """The RDB of one database with strings, every third with an expiry far ahead."""
    entries = [
        rdb_bytes.entry(
            b"key:%d" % each,
            0,
            rdb_bytes.string(text + b" %d" % each),
            expires_at=None if each % 3 else 4_000_000_000_000 + each,
        )
        for each in range(keys)
    ]
    return rdb_bytes.rdb(
        rdb_bytes.auxiliary(b"ctime", b"1700000000"), rdb_bytes.select(number, keys, keys // 3), *entries
    )


@dataclass
class Contents:
    """What goes into an archive: plain bytes by name."""

    databases: Mapping[str, bytes] = field(default_factory=lambda: {"main": rdb_of(0), "sessions": rdb_of(6)})
    instance: bytes | None = field(default_factory=lambda: rdb_bytes.rdb(b"\xf5" + rdb_bytes.raw(FUNCTION)))
    dump: bytes | None = b"PGDMP" + bytes(2000)


def write_archive(
    place: LocalPlace,
    contents: Contents | None = None,
    *,
    taken_at: datetime = TAKEN_AT,
    tier: str = "critical",
    keys: BackupKeys = KEYS,
    plain: frozenset[str] = frozenset(),
) -> Manifest:
    """Write an archive as a backup does, and give its manifest. Databases in `plain` aren't encrypted."""
    contents = contents or Contents()
    document = manifest(taken_at, tier, ())
    with ArchiveWriter(place, document.id) as writer:

        def sealed(stem: str, data: bytes, *, encrypted: bool = True) -> tuple[str, Sealed]:
            file = f"{stem}.zst.age" if encrypted else f"{stem}.zst"
            output = writer.open_part(file)
            recipients = [keys.identities[0].to_public()] if encrypted else []
            sealing = SealingWriter(output, recipients, what=file)
            try:
                sealing.write(data)
                done = sealing.finish()
            finally:
                sealing.abort()
            writer.finish_part(file)
            return file, done

        databases = []
        for name, data in contents.databases.items():
            file, done = sealed(f"databases/{name}.rdb", data, encrypted=name not in plain)
            databases.append(_database_part(name, data, file, done))
        instance = None
        if contents.instance is not None:
            file, done = sealed("instance.rdb", contents.instance)
            instance = FilePart(**_stored(file, done))
        postgres: tuple[PostgresPart, ...] = ()
        if contents.dump is not None:
            file, done = sealed("postgres/autobot.dump", contents.dump)
            postgres = (PostgresPart(**_stored(file, done), content=CONTENT),)
        document = document.model_copy(
            update={"databases": tuple(databases), "instance": instance, "postgres": postgres}
        )
        writer.commit(document, keys.seal_key)
    return document


def _stored(file: str, done: Sealed) -> dict[str, object]:
    return {
        "file": file,
        "bytes": done.plain_bytes,
        "stored_bytes": done.stored_bytes,
        "sha256": done.sha256,
    }


def _database_part(name: str, data: bytes, file: str, done: Sealed) -> DatabasePart:
    reader = Reader(BytesIO(data))
    fingerprinter = Fingerprinter(0)
    digests: KeyDigests | None = None
    keys = expiring = number = 0
    for entry in reader:
        digests = digests or KeyDigests(reader.dialect)
        number = entry.database
        keys += 1
        expiring += entry.expires_at is not None
        fingerprinter.add(digests.of(entry), entry.expires_at)
    return DatabasePart(
        **_stored(file, done),
        name=name,
        number=number,
        keys=keys,
        keys_with_expiry=expiring,
        fingerprint=str(fingerprinter.fingerprint),
    )
