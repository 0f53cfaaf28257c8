"""Manifests for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from autobot_ops.backup.manifest import DatabasePart, Manifest, Server, archive_id

TAKEN_AT = datetime(2026, 11, 23, 4, 18, 20, 123000, tzinfo=UTC)


def database_part(name: str, number: int) -> DatabasePart:
    return DatabasePart(
        file=f"databases/{name}.rdb.zst.age",
        bytes=1000,
        stored_bytes=500,
        sha256="0" * 64,
        name=name,
        number=number,
        keys=2,
        keys_with_expiry=1,
        fingerprint=f"2:{0:032x}",
    )


def manifest(
    taken_at: datetime = TAKEN_AT,
    tier: str = "critical",
    databases: tuple[str, ...] = ("main", "sessions"),
    *,
    complete: bool = True,
) -> Manifest:
    return Manifest(
        id=archive_id(taken_at, tier),
        project="autobot",
        tier=tier,
        complete=complete,
        taken_at=taken_at,
        ended_at=taken_at + timedelta(seconds=3),
        tool_version="0.1.0",
        catalog="0" * 64,
        server=Server(
            version="7.0.15",
            run_id="1" * 40,
            replication_id="2" * 40,
            replication_offset=0,
            rdb_header="REDIS0010",
        ),
        databases=tuple(database_part(name, number) for number, name in enumerate(databases)),
    )
