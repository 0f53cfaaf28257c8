"""Archives in S3-compatible storage, on a real server."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autobot_ops.backup import bucket as bucket_module
from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.copying import CopyFailed, copy_archive, fetch_part
from autobot_ops.backup.errors import (
    ArchiveInUse,
    BackupRunning,
    DamagedPart,
    StorageFailed,
    UnknownArchive,
)
from autobot_ops.backup.listing import list_archives
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import Manifest
from autobot_ops.backup.marks import read_mark
from autobot_ops.backup.places import Watch
from autobot_ops.backup.verification import VerificationFailed, verify_archive
from tests.component.backup.storage_server import BUCKET, StorageServer
from tests.unit.backup.archives import KEYS, Contents, rdb_of, write_archive
from tests.unit.backup.manifests import TAKEN_AT

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROOT = "some/prefix/autobot"


@pytest.fixture
def archive(local: LocalPlace) -> Manifest:
    with local.lock():
        written = write_archive(local)
    verify_archive(local, written.id, KEYS, now=NOW)
    return written


def test_a_copy_is_listed_verified_and_the_same(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest
) -> None:
    assert bucket.archive_ids() == bucket.garbage() == []
    with bucket.lock():
        copy_archive(local, archive.id, bucket, KEYS)
    assert bucket.archive_ids() == [archive.id]
    assert bucket.files(archive.id) == local.files(archive.id)
    for file in local.files(archive.id):
        assert bucket.read(archive.id, file) == local.read(archive.id, file)
    assert read_mark(bucket, archive.id) == read_mark(local, archive.id)
    assert verify_archive(bucket, archive.id, KEYS, now=NOW + timedelta(days=1)).verified_at > NOW
    rows = list_archives([local, bucket], KEYS).archives
    assert [(row.id, row.place, row.damage) for row in rows] == [
        (archive.id, "local", ""), (archive.id, "bucket", ""),
    ]  # fmt: skip


def test_the_manifest_is_put_last(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    upload = BucketPlace.upload

    def watched(
        self: BucketPlace, archive_id: str, file: str, source: io.BytesIO, size: int, *, watch: Watch | None
    ) -> None:
        upload(self, archive_id, file, source, size, watch=watch)
        seen.append(bucket.archive_ids())

    monkeypatch.setattr(BucketPlace, "upload", watched)
    copy_archive(local, archive.id, bucket, KEYS)
    assert seen == [[]] * len(list(archive.parts))


def test_a_second_copy_sends_nothing(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing was to be sent")

    monkeypatch.setattr(BucketPlace, "upload", refuse)
    copy_archive(local, archive.id, bucket, KEYS)
    assert bucket.archive_ids() == [archive.id]


def test_one_changed_object_is_seen_and_sent_again(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, storage: StorageServer
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)
    spoilt = 0
    for part in archive.parts:
        key = f"{ROOT}/{archive.id}/{part.file}"
        data = bytearray(storage.content(key))
        data[len(data) // 2] ^= 0x10
        storage.put(key, bytes(data))
        with pytest.raises(VerificationFailed, match=part.file):
            verify_archive(bucket, archive.id, KEYS, now=NOW)
        assert read_mark(bucket, archive.id) is None
        copy_archive(local, archive.id, bucket, KEYS)
        assert storage.content(key) == local.read(archive.id, part.file)
        spoilt += 1
    assert spoilt == 4
    assert read_mark(bucket, archive.id) == read_mark(local, archive.id)


def test_a_storage_that_alters_everything_is_named_and_nothing_is_listed(
    local: LocalPlace,
    bucket: BucketPlace,
    archive: Manifest,
    storage: StorageServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = BucketPlace.upload
    sent = 0

    def spoil(
        self: BucketPlace, archive_id: str, file: str, source: io.BytesIO, size: int, *, watch: Watch | None
    ) -> None:
        nonlocal sent
        sent += 1
        upload(self, archive_id, file, source, size, watch=watch)
        key = f"{ROOT}/{archive_id}/{file}"
        storage.put(key, storage.content(key)[:-1] + b"?")

    monkeypatch.setattr(BucketPlace, "upload", spoil)
    with pytest.raises(CopyFailed, match="arrives changed"):
        copy_archive(local, archive.id, bucket, KEYS)
    assert sent == 3
    assert bucket.archive_ids() == []
    assert bucket.garbage() == [archive.id]


def test_a_damaged_source_is_not_blamed_on_the_storage(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest
) -> None:
    path = local.path(archive.id, archive.databases[0].file)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedPart, match="at local"):
        copy_archive(local, archive.id, bucket, KEYS)
    assert bucket.archive_ids() == []


def test_large_parts_go_in_pieces(
    local: LocalPlace, bucket: BucketPlace, monkeypatch: pytest.MonkeyPatch, storage: StorageServer
) -> None:
    monkeypatch.setattr(bucket_module, "PIECE_BYTES", 5 * 1024 * 1024)
    with local.lock():
        big = write_archive(local, Contents({"main": rdb_of(0, 3, text=noise(12 * 1024 * 1024))}, None, None))
    assert big.stored_bytes > 20 * 1024 * 1024
    told: list[int] = []
    copy_archive(local, big.id, bucket, KEYS, watch=told.append)
    assert sum(told) == 2 * big.stored_bytes
    assert storage.uploads() == 0
    verify_archive(bucket, big.id, KEYS, now=NOW)


def noise(size: int) -> bytes:
    import random

    return random.Random(4).randbytes(size)


def test_an_upload_that_fails_leaves_no_object(
    bucket: BucketPlace, archive: Manifest, storage: StorageServer
) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 9 * 1024 * 1024:
                raise KeyboardInterrupt
            return super().read(size)

    with pytest.raises(KeyboardInterrupt):
        bucket.upload(
            archive.id, "databases/main.rdb.zst.age", Breaking(noise(12 * 1024 * 1024)), 12 * 1024 * 1024
        )
    assert storage.object_names() == []
    assert storage.uploads() == 0


def test_removes_the_manifest_first(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, storage: StorageServer
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)
    with bucket.lock():
        bucket.remove(archive.id)
        with pytest.raises(UnknownArchive):
            bucket.remove(archive.id)
    assert storage.object_names() == []


def test_nothing_is_removed_while_somebody_reads(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)
    with bucket.reading(archive.id), bucket.reading(archive.id):
        assert bucket.in_use(archive.id)
        with pytest.raises(ArchiveInUse):
            bucket.remove(archive.id)
    assert not bucket.in_use(archive.id)
    with pytest.raises(UnknownArchive), bucket.reading("20260101T000000.000Z-critical"):
        pass


def test_a_second_writer_is_refused(bucket: BucketPlace) -> None:
    with bucket.lock(), pytest.raises(BackupRunning), bucket.lock():
        pass


def test_clears_half_copies_and_unfinished_uploads_of_ours_only(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, storage: StorageServer
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)
    complete = storage.object_names()
    other = "20260101T000000.000Z-critical"
    storage.put(f"{ROOT}/{other}/databases/main.rdb.zst.age", b"half")
    storage.put(f"{ROOT}/notes.txt", b"somebody's")
    storage.put("some/prefix/autobot-two/x", b"another project's")
    client = storage.client()
    client.create_multipart_upload(Bucket=BUCKET, Key=f"{ROOT}/{other}/instance.rdb.zst.age")
    client.create_multipart_upload(Bucket=BUCKET, Key="some/prefix/autobot-two/x")
    assert bucket.archive_ids() == [archive.id]
    assert bucket.garbage() == [other]
    with bucket.lock():
        assert bucket.clear_garbage() == [other]
    assert bucket.garbage() == []
    assert storage.uploads() == 1
    assert sorted(storage.object_names()) == sorted(
        [*complete, f"{ROOT}/notes.txt", "some/prefix/autobot-two/x"]
    )


def test_fetches_a_part_and_refuses_a_changed_one(
    local: LocalPlace, bucket: BucketPlace, archive: Manifest, storage: StorageServer, tmp_path: Path
) -> None:
    copy_archive(local, archive.id, bucket, KEYS)
    part = archive.databases[1]
    fetch_part(bucket, archive.id, part, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == local.read(archive.id, part.file)
    storage.put(f"{ROOT}/{archive.id}/{part.file}", b"other")
    with pytest.raises(DamagedPart, match="at bucket"):
        fetch_part(bucket, archive.id, part, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_storage_that_does_not_answer_is_named(
    local: LocalPlace, archive: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = StorageServer()  # never started
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = BucketPlace(f"s3://{BUCKET}", "autobot", local.folder)
    with pytest.raises(StorageFailed, match=f"s3://{BUCKET}/autobot can't be listed"):
        bucket.archive_ids()
    listing = list_archives([local, bucket], KEYS)
    assert [row.id for row in listing.archives] == [archive.id]
    assert list(listing.unreachable) == ["bucket"]
    with pytest.raises(StorageFailed):
        copy_archive(local, archive.id, bucket, KEYS)


def test_a_missing_bucket_is_named(storage: StorageServer, local: LocalPlace, archive: Manifest) -> None:
    bucket = BucketPlace("s3://nobody-made-it", "autobot", local.folder)
    with pytest.raises(StorageFailed, match="nobody-made-it"):
        copy_archive(local, archive.id, bucket, KEYS)
    with pytest.raises(StorageFailed, match="nobody-made-it"):
        bucket.garbage()


def test_ages_are_sorted(local: LocalPlace, bucket: BucketPlace) -> None:
    with local.lock():
        ids = [write_archive(local, taken_at=TAKEN_AT + timedelta(days=days)).id for days in (1, 0)]
    for archive_id in ids:
        copy_archive(local, archive_id, bucket, KEYS)
    assert bucket.archive_ids() == sorted(ids)
