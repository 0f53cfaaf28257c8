"""Retention in a bucket: judged by itself, removed object by object, journalled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.archive_facts import look_again, observe_archives
from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.copying import copy_archive
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.prune import apply_prune
from autobot_ops.backup.retention import plan_retention
from autobot_ops.backup.verification import verify_archive
from autobot_ops.catalog import load_catalogs
from autobot_ops.history import read_history
from autobot_ops.journal import open_journal
from tests.component.backup.storage_server import StorageServer
from tests.unit.backup.archives import KEYS, Contents, rdb_of, write_archive

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SMALL = Contents({"main": rdb_of(0)}, instance=None, dump=None)


@pytest.fixture
def archive_ids(local: LocalPlace, bucket: BucketPlace) -> list[str]:
    """Two old archives and a new one, verified and copied into the bucket."""
    ids = []
    for days in (50, 40, 1):
        with local.lock():
            ids.append(write_archive(local, SMALL, taken_at=NOW - timedelta(days=days)).id)
        verify_archive(local, ids[-1], KEYS, now=NOW)
        with bucket.lock():
            copy_archive(local, ids[-1], bucket, KEYS)
    return ids


def test_a_bucket_keeps_what_is_only_covered_locally(
    root: Path, local: LocalPlace, bucket: BucketPlace, archive_ids: list[str]
) -> None:
    with bucket.lock():
        bucket.remove(archive_ids[2])
    plan = plan_retention(observe_archives([local, bucket], KEYS).facts, load_catalogs(root).tiers, NOW)
    assert [(each.archive.place, each.archive.id) for each in plan if each.remove] == [
        ("bucket", archive_ids[0]),
        ("local", archive_ids[0]),
        ("local", archive_ids[1]),
    ]


def test_pruning_a_bucket_leaves_the_local_archives_and_no_object(
    root: Path,
    tmp_path: Path,
    storage: StorageServer,
    local: LocalPlace,
    bucket: BucketPlace,
    archive_ids: list[str],
) -> None:
    tiers = load_catalogs(root).tiers
    plan = plan_retention(observe_archives([bucket], KEYS).facts, tiers, NOW)
    journal = open_journal(tmp_path)
    done = apply_prune(
        bucket,
        plan,
        look=lambda ids: look_again(bucket, KEYS, ids),
        tiers=tiers,
        clock=lambda: NOW,
        journal=journal,
    )
    assert done.removed == tuple(archive_ids[:2])
    assert bucket.archive_ids() == archive_ids[2:]
    assert not [name for name in storage.object_names() if archive_ids[0] in name]
    assert local.archive_ids() == archive_ids
    past = read_history(journal.path, is_running=lambda _: False, limit=9).operations
    assert {(each.facts["place"], each.outcome) for each in past} == {("bucket", "done")}


def test_a_bucket_that_does_not_answer_is_named_and_the_local_archives_are_seen(
    local: LocalPlace, archive_ids: list[str]
) -> None:
    gone = BucketPlace("s3://nobody-made-it", "autobot", local.folder)
    observed = observe_archives([local, gone], KEYS)
    assert [each.id for each in observed.facts] == archive_ids[::-1]
    assert list(observed.unreachable) == ["bucket"]
