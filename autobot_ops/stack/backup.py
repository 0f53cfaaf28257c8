"""`inv backup` on a stack: where its data come from, and the steps from the lock to the commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.adapters.redis_server import answering, dialer, replication_endpoint
from autobot_ops.backup.draft import Origin, Sealing
from autobot_ops.backup.errors import StorageFailed
from autobot_ops.backup.key_file import KEY_FILE, BackupKeys, load_keys, make_key_file, parse_recipients
from autobot_ops.backup.listing import moment_and_tier
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import Manifest, RebuiltVolume, VolumeContent
from autobot_ops.backup.plan import PlannedArchive
from autobot_ops.backup.postgres import dump_database
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import SealingWriter
from autobot_ops.backup.stream_copy import Progress
from autobot_ops.backup.taking import ServerState, take_archives
from autobot_ops.backup.volumes import archive_volume, volumes_of_tier
from autobot_ops.errors import PartlyDone
from autobot_ops.rdb.stream import ReplicationStream
from autobot_ops.stack.image_inputs import project_version
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.volumes import data_volume

POSTGRES_DATABASE = "autobot"
NEW_KEY = (
    "a new backup key was made: {path}. Keep a copy of it on another machine: "
    "without it no archive can be opened."
)


class NotCopied(PartlyDone):
    """The archives are whole and verified here, but the bucket doesn't have them."""


@dataclass(frozen=True)
class StackSources:
    """The running stack as the source of a backup; see taking.Sources."""

    stack: Stack
    postgres_database: str = POSTGRES_DATABASE

    def describe_server(self) -> ServerState:
        """What INFO says, asked as the monitor."""
        with answering(dialer(self.stack, "monitor")) as client:
            information = client.info()
        return ServerState(
            version=str(information["redis_version"]),
            run_id=str(information["run_id"]),
            replication_id=str(information["master_replid"]),
            replication_offset=int(information["master_repl_offset"]),
        )

    def open_stream(self) -> ReplicationStream:
        """The stream, over TLS."""
        return ReplicationStream(replication_endpoint(self.stack))

    def dump_postgres(self, writer: SealingWriter) -> PostgresContent:
        """pg_dump in the container of PostgreSQL."""
        return dump_database(runner_inside(self.stack, "postgres"), self.postgres_database, writer)

    def volumes(self, tier: str) -> Sequence[str]:
        """Services whose volume nothing else rebuilds, as the catalog says."""
        return volumes_of_tier(self.stack.catalogs, tier)[0]

    def rebuilt_volumes(self, tier: str) -> Sequence[RebuiltVolume]:
        """Those that are rebuilt, and from what."""
        return volumes_of_tier(self.stack.catalogs, tier)[1]

    def archive_volume(self, service: str, writer: SealingWriter) -> VolumeContent:
        """Write a volume as a tar file; the agent stands still meanwhile."""
        return archive_volume(data_volume(self.stack, service), writer)


def local_place(stack: Stack) -> LocalPlace:
    """The stack's own folder of archives."""
    return LocalPlace(stack.settings.archives_dir)


def ensure_keys(stack: Stack, on_new: Callable[[str], object]) -> BackupKeys:
    """The backup key, made now if there is none and no archive either; `on_new` gets its path.

    Raises KeyFileUnusable: with archives there, a new key would open none of them.
    """
    path = stack.settings.secrets_dir / KEY_FILE
    if not path.exists() and not local_place(stack).archive_ids():
        on_new(str(path))
        return make_key_file(path)
    return load_keys(path)


@dataclass(frozen=True)
class Watchers:
    """Whom a backup tells how far it is: bytes and keys of the stream, remarks, warnings."""

    progress: Progress
    say: Callable[[str], object]
    warn: Callable[[str], object]


def run_backup(stack: Stack, plan: Sequence[PlannedArchive], watchers: Watchers) -> list[Manifest]:
    """Take the planned archives into the local folder. Raises as taking.take_archives does, BackupRunning."""
    settings = stack.settings
    place = local_place(stack)
    with place.lock():
        for name in place.clear_garbage():
            watchers.say(f"cleared away {name}, which was never finished")
        keys = ensure_keys(stack, lambda path: watchers.warn(NEW_KEY.format(path=path)))
        recipients = parse_recipients([keys.recipient, *settings.backup_recipients.split()])
        return take_archives(
            plan,
            StackSources(stack),
            place,
            Sealing(keys, recipients),
            Origin(settings.project, project_version(settings.root), stack.catalogs.digest),
            now=_now,
            progress=watchers.progress,
            on_retry=lambda error: watchers.warn(f"{error.message}; once more"),
        )


def copy_to_bucket(stack: Stack, say: Callable[[str], object]) -> list[str]:
    """Copy to the bucket what it lacks; the archives' ids. Nothing where no bucket is set.

    What it lacks: of each tier, the local archives that are newer than its newest. So the copies of a time in
    which it didn't answer are made up for. Raises NotCopied.
    """
    settings = stack.settings
    if not settings.backup_bucket:
        return []
    from autobot_ops.backup.bucket import BucketPlace  # loads an AWS client
    from autobot_ops.backup.copying import copy_archive

    local = local_place(stack)
    keys = load_keys(settings.secrets_dir / KEY_FILE)
    copied: list[str] = []
    try:
        bucket = BucketPlace(settings.backup_bucket, settings.project, settings.archives_dir)
        with bucket.lock():
            for archive_id in missing_copies(local.archive_ids(), bucket.archive_ids()):
                copy_archive(local, archive_id, bucket, keys)
                say(f"copied {archive_id} to {bucket.address}")
                copied.append(archive_id)
            bucket.clear_garbage()  # after the copies: one that broke off was resumed
    except StorageFailed as error:
        raise NotCopied(
            f"the backup is in {local.address} and not in the bucket: {error.message}",
            hint=f"The next backup copies it too. {error.hint}",
        ) from error
    return copied


def missing_copies(here: Sequence[str], there: Sequence[str]) -> list[str]:
    """Ids of `here` that are newer than the newest of their tier `there`. Pure."""
    newest: dict[str, str] = {}
    for archive_id in there:
        tier = moment_and_tier(archive_id)[1]
        newest[tier] = max(archive_id, newest.get(tier, ""))
    return [archive_id for archive_id in here if archive_id > newest.get(moment_and_tier(archive_id)[1], "")]


def _now() -> datetime:
    return datetime.now(UTC)
