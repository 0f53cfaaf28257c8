"""Which archive a restore takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from autobot_ops.backup.listing import ListedArchive
from autobot_ops.backup.manifest import DatabasePart, Manifest, Server
from autobot_ops.restore.choice import (
    BadTime,
    NoSuchArchive,
    UnusableArchive,
    choose_all,
    choose_archive,
    parse_moment,
)


def archive(hour: int, *names: str, damage: str = "") -> ListedArchive:
    at = datetime(2026, 11, 23, hour, tzinfo=UTC)
    archive_id = f"20261123T{hour:02d}0000.000Z-critical"
    parts = tuple(
        DatabasePart(
            file=f"databases/{name}.rdb.zst",
            bytes=1,
            stored_bytes=1,
            sha256="0" * 64,
            name=name,
            number=1,
            keys=1,
            keys_with_expiry=0,
            fingerprint="1:" + "0" * 32,
        )
        for name in names
    )
    server = Server(
        version="7.0.15", run_id="r", replication_id="i", replication_offset=0, rdb_header="REDIS0010"
    )
    manifest = Manifest(
        id=archive_id, project="autobot", tier="critical", complete=True, taken_at=at, ended_at=at,
        tool_version="1", catalog="c", server=server, databases=parts,
    )  # fmt: skip
    return ListedArchive(archive_id, "local", "critical", at, 1, manifest, damage=damage)


ARCHIVES = [archive(9, "main"), archive(8, "main", "sessions", damage="torn"), archive(7, "main", "sessions")]


def test_takes_the_newest_sound_one_that_has_the_database() -> None:
    assert choose_archive(ARCHIVES, "main").archive is ARCHIVES[0]
    assert choose_archive(ARCHIVES, "sessions").archive is ARCHIVES[2]


def test_takes_the_newest_that_is_not_younger_than_a_moment() -> None:
    moment = datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert choose_archive(ARCHIVES, "main", before=moment).archive is ARCHIVES[2]
    with pytest.raises(NoSuchArchive, match="2026-11-23T06:59"):
        choose_archive(ARCHIVES, "main", before=moment - timedelta(minutes=1))


def test_says_why_a_named_one_is_not_taken() -> None:
    assert choose_archive(ARCHIVES, "main", named=ARCHIVES[2].id).archive is ARCHIVES[2]
    with pytest.raises(UnusableArchive, match="torn"):
        choose_archive(ARCHIVES, "main", named=ARCHIVES[1].id)
    with pytest.raises(NoSuchArchive, match="has no 'sessions'"):
        choose_archive(ARCHIVES, "sessions", named=ARCHIVES[0].id)
    with pytest.raises(NoSuchArchive):
        choose_archive(ARCHIVES, "main", named="20200101T000000.000Z-critical")


def test_all_databases_each_from_its_newest() -> None:
    found = choose_all(ARCHIVES, ["main", "sessions", "logs"])
    assert {name: choice.archive for name, choice in found.items()} == {
        "main": ARCHIVES[0],
        "sessions": ARCHIVES[2],
    }
    with pytest.raises(NoSuchArchive):
        choose_all(ARCHIVES, ["logs"])


def test_reads_moments_with_and_without_a_zone() -> None:
    here = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert parse_moment("2026-11-23T04:18", here) == datetime(2026, 11, 23, 2, 18, tzinfo=UTC)
    assert parse_moment("2026-11-23 04:18:20Z", here) == datetime(2026, 11, 23, 4, 18, 20, tzinfo=UTC)
    with pytest.raises(BadTime, match="yesterday"):
        parse_moment("yesterday", here)
