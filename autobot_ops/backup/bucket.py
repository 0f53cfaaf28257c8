"""Archives in S3-compatible storage: objects `<prefix>/<project>/<archive id>/<file>`.

Nothing can be renamed there, so the manifest is the commit point: it is put last and removed first. Endpoint
and credentials are what any AWS client takes from its variables and files. Locks are of this machine only,
files in the local archives' folder; whoever reads any archive of the bucket keeps all from being removed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import s3fs
from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import BotoCoreError, ClientError

from autobot_ops.backup.durable_files import ensure_folder, storing
from autobot_ops.backup.errors import ArchiveInUse, DamagedPart, StorageFailed, UnknownArchive
from autobot_ops.backup.locks import hold_unshared, lock_file, share_file
from autobot_ops.backup.manifest import MANIFEST_FILE, is_archive_id
from autobot_ops.backup.places import VERIFICATION_FILE, Watch

if TYPE_CHECKING:
    from typing_extensions import Buffer

LOCK_FILE = ".lock-bucket"
READERS_FILE = ".readers-bucket"
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
REQUESTS_AT_MOST = 3
PIECE_BYTES = 8 * 1024 * 1024
"""Of an upload, held in memory. S3 takes 10,000 pieces of an object, so larger ones have larger pieces."""
MOST_PIECES = 9_000


class BucketPlace:
    """See `places.Place`. `url` is `s3://BUCKET/PREFIX`; `lock_folder` is a folder of this machine."""

    name = "bucket"

    def __init__(self, url: str, project: str, lock_folder: Path) -> None:
        self.address = f"{url.rstrip('/')}/{project}"
        self._root = self.address.removeprefix("s3://")
        self._lock_folder = lock_folder
        # Its own instance without caches: another process writes to the bucket too.
        self._storage: Any = s3fs.S3FileSystem(
            skip_instance_cache=True,
            use_listings_cache=False,
            default_cache_type="readahead",
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": ANSWER_SECONDS,
                "retries": {"mode": "standard", "total_max_attempts": REQUESTS_AT_MOST},
            },
        )
        self._storage.retries = 2  # its own, on top of the client's: for an answer that breaks off

    def archive_ids(self) -> list[str]:
        """Names of the complete archives, the oldest first."""
        return sorted(name for name, files in self._archives().items() if MANIFEST_FILE in files)

    def garbage(self) -> list[str]:
        """Names of what has no manifest, and of what was being uploaded when its writer ended."""
        without = {name for name, files in self._archives().items() if MANIFEST_FILE not in files}
        return sorted(without | {self._relative(upload["Key"]).split("/")[0] for upload in self._uploads()})

    def clear_garbage(self) -> list[str]:
        """Remove the garbage and say what it was. Under `lock`: another's unfinished copy looks alike."""
        found = self.garbage()
        bucket = self._root.split("/")[0]
        with self._answering("can't be cleared up"):
            for upload in self._uploads():
                self._storage.abort_mpu(bucket, upload["Key"], upload["UploadId"])
        for name, files in self._archives().items():
            if MANIFEST_FILE not in files:
                self._remove_files(name, files)
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one of this machine who writes or removes there; BackupRunning where somebody is."""
        with lock_file(self._lock(LOCK_FILE)):
            yield

    def files(self, archive_id: str) -> dict[str, int]:
        """Every file of an archive with its size in bytes; UnknownArchive."""
        self._path(archive_id)
        files = self._archives(archive_id).get(archive_id)
        if files is None:
            raise UnknownArchive(archive_id, self.address)
        return files

    def open(self, archive_id: str, file: str) -> BinaryIO:
        """A file, to be read and closed; DamagedPart where it is missing. Its errors are StorageFailed."""
        path = self._path(archive_id, file)
        with self._answering(f"doesn't give {archive_id}/{file}"):
            try:
                opened = self._storage.open(path, "rb", block_size=PIECE_BYTES)
            except FileNotFoundError as error:
                raise DamagedPart(f"{file} of {archive_id} is missing") from error
        raw = _BucketFile(opened, lambda: self._answering(f"doesn't give {archive_id}/{file}"))
        return cast(BinaryIO, raw)

    def read(self, archive_id: str, file: str) -> bytes:
        """The content of a small file; DamagedPart where it is missing."""
        path = self._path(archive_id, file)
        with self._answering(f"doesn't give {archive_id}/{file}"):
            try:
                return bytes(self._storage.cat_file(path))
            except FileNotFoundError as error:
                raise DamagedPart(f"{file} of {archive_id} is missing") from error

    @contextmanager
    def reading(self, archive_id: str) -> Iterator[None]:
        """Keep archives from being removed by this machine meanwhile; UnknownArchive."""
        with share_file(self._lock(READERS_FILE)):
            if MANIFEST_FILE not in self.files(archive_id):
                raise UnknownArchive(archive_id, self.address)
            yield

    def in_use(self, archive_id: str) -> bool:
        """Whether somebody is `reading` any archive there."""
        self._path(archive_id)
        with hold_unshared(self._lock(READERS_FILE)) as alone:
            return not alone

    def remove(self, archive_id: str) -> None:
        """Remove an archive, the manifest first: a crash leaves garbage. ArchiveInUse, UnknownArchive."""
        files = self.files(archive_id)
        if MANIFEST_FILE not in files:
            raise UnknownArchive(archive_id, self.address)
        with hold_unshared(self._lock(READERS_FILE)) as alone:
            if not alone:
                raise ArchiveInUse(
                    "an archive of the bucket is being read",
                    hint="Wait until the restore or verification has ended.",
                )
            self._remove_files(archive_id, {MANIFEST_FILE: 0})
            self._remove_files(
                archive_id, {file: size for file, size in files.items() if file != MANIFEST_FILE}
            )

    def write_verification(self, archive_id: str, content: bytes | None) -> None:
        """Write `verification.json`, or remove it."""
        if content is not None:
            self.put(archive_id, VERIFICATION_FILE, content)
        elif VERIFICATION_FILE in self.files(archive_id):
            self._remove_files(archive_id, {VERIFICATION_FILE: 0})

    def put(self, archive_id: str, file: str, content: bytes) -> None:
        """Write a small file, in one request: it is there as a whole or not at all."""
        with self._answering(f"doesn't take {archive_id}/{file}"):
            self._storage.pipe_file(self._path(archive_id, file), content)

    def upload(
        self, archive_id: str, file: str, source: BinaryIO, size: int, *, watch: Watch | None = None
    ) -> None:
        """Write a file of this size; it appears when all of it is there. Memory: two pieces."""
        with self._answering(f"doesn't take {archive_id}/{file}"):
            piece = max(PIECE_BYTES, -(-size // MOST_PIECES))
            target = self._storage.open(self._path(archive_id, file), "wb", block_size=piece)
            try:
                while data := source.read(1024 * 1024):
                    target.write(data)
                    if watch is not None:
                        watch(len(data))
            except BaseException:
                target.closed = True  # or its destructor would put the half of it into place
                target.discard()
                raise
            target.close()

    def _archives(self, archive_id: str = "") -> dict[str, dict[str, int]]:
        """Archives and garbage: name → file → bytes."""
        with self._answering("can't be listed"):
            try:
                found = self._storage.find(f"{self._root}/{archive_id}", detail=True)
            except FileNotFoundError:
                found = {}
        archives: dict[str, dict[str, int]] = {}
        for path, details in found.items():
            name, _, file = path.removeprefix(self._root + "/").partition("/")
            if file and is_archive_id(name):
                archives.setdefault(name, {})[file] = int(details["size"])
        return archives

    def _uploads(self) -> list[dict[str, str]]:
        """Uploads in pieces of our archives that were neither finished nor given up."""
        bucket, _, prefix = self._root.partition("/")
        found: list[dict[str, str]] = []
        marks: dict[str, str] = {}
        with self._answering("can't be listed"):
            while True:
                page = self._storage.call_s3(
                    "list_multipart_uploads", Bucket=bucket, Prefix=prefix + "/", **marks
                )
                found += page.get("Uploads", [])
                if not page.get("IsTruncated"):
                    break
                marks = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        return [each for each in found if is_archive_id(self._relative(each["Key"]).split("/")[0])]

    def _relative(self, key: str) -> str:
        return key.removeprefix(self._root.partition("/")[2] + "/")

    def _remove_files(self, archive_id: str, files: dict[str, int]) -> None:
        with self._answering(f"can't remove {archive_id}"):
            for file in files:
                self._storage.rm_file(self._path(archive_id, file))

    def _path(self, archive_id: str, file: str = "") -> str:
        if not is_archive_id(archive_id):
            raise UnknownArchive(archive_id, self.address)
        return f"{self._root}/{archive_id}/{file}"

    def _lock(self, file: str) -> Path:
        with storing("the backup folder can't be written", self._lock_folder):
            ensure_folder(self._lock_folder)
        return self._lock_folder / file

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        """Turn what the storage's client raises into StorageFailed."""
        try:
            yield
        except (OSError, BotoCoreError, ClientError, ConnectionFailed) as error:
            raise StorageFailed(
                f"{self.address} {what}: {_reason(error)}",
                hint="Check backup_bucket, and AWS_ENDPOINT_URL and the credentials as any AWS client takes "
                "them; local archives are not touched.",
            ) from error


class _BucketFile(io.RawIOBase):
    """A file of the bucket whose errors have our names."""

    def __init__(self, opened: Any, answering: Callable[[], Any]) -> None:
        super().__init__()
        self._opened = opened
        self._answering = answering

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        with self._answering():
            data = self._opened.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()


def _reason(error: Exception) -> str:
    """One line of what a client's error says, without its addresses and ids."""
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
