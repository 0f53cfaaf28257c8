"""Places with archives for the tests of backups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.local_place import LocalPlace
from tests.component.backup.storage_server import BUCKET, StorageServer


@pytest.fixture(scope="session")
def _storage() -> Iterator[StorageServer]:
    server = StorageServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def storage(_storage: StorageServer, monkeypatch: pytest.MonkeyPatch) -> StorageServer:
    """An empty storage, which AWS clients of this process find by their environment."""
    client = _storage.client()
    for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in _storage.object_names():
        client.delete_object(Bucket=BUCKET, Key=key)
    for name, value in _storage.environment.items():
        monkeypatch.setenv(name, value)
    return _storage


@pytest.fixture
def local(tmp_path: Path) -> LocalPlace:
    """An empty folder for archives."""
    return LocalPlace(tmp_path / "backups" / "autobot")


@pytest.fixture
def bucket(storage: StorageServer, local: LocalPlace) -> BucketPlace:
    """An empty place in the storage."""
    return BucketPlace(f"s3://{BUCKET}/some/prefix", "autobot", local.folder)
