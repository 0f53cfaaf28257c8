"""`inv migrate` on a stack, or on a server by its URL: where it works, and its safety archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autobot_ops.adapters.redis_server import endpoint_for, endpoint_from_url
from autobot_ops.backup.draft import Origin, Sealing
from autobot_ops.backup.key_file import parse_recipients
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import RebuiltVolume, VolumeContent
from autobot_ops.backup.plan import backed_up_tiers, plan_backup
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import SealingWriter
from autobot_ops.backup.stream_copy import Progress
from autobot_ops.backup.taking import CopyStream, ServerState, take_archives
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.routes import make_routes
from autobot_ops.migration.search_indexes import indexed_prefixes
from autobot_ops.migration.session import Session, TakeArchives
from autobot_ops.rdb.stream import ReplicationStream
from autobot_ops.rdb.window import Source
from autobot_ops.stack.backup import NEW_KEY, ensure_keys, local_place
from autobot_ops.stack.image_inputs import project_version
from autobot_ops.stack.stack import Stack
from autobot_ops.transfer.target import Target

ARCHIVES = "migration-archives"


def open_session(stack: Stack, url: str, extra_routes: Sequence[tuple[str, str]]) -> Session:
    """The stack's server, or another one by its URL.

    Keys that a search index covers stay in database 0. Raises RedisOutOfReach, InvalidAddress, ServerLost.
    """
    if url:
        commands = streams = endpoint_from_url(url)
    else:
        commands, streams = endpoint_for(stack, "migrate"), endpoint_for(stack, "backup")
    with Connection(commands) as connection:
        pinned = indexed_prefixes(connection)
    return Session(
        commands,
        streams,
        stack.settings.project_state_dir,
        make_routes(stack.catalogs.databases, extra_routes, pinned=pinned),
        stack.catalogs.digest,
        # The top one is the ledger of restores.
        range(LAST_CATALOG_NUMBER + 1, stack.settings.redis_databases - 1),
    )


def open_target(stack: Stack, url: str, extra_routes: Sequence[tuple[str, str]]) -> Target:
    """The same server as one that gets keys of another; its user `restore` loads them into staging."""
    session = open_session(stack, url, extra_routes)
    return Target(session, session.commands if url else endpoint_for(stack, "restore"))


def safety_archives(
    stack: Stack,
    session: Session,
    *,
    of_stack: bool,
    progress: Progress,
    say: Callable[[str], object],
    warn: Callable[[str], object],
) -> TakeArchives:
    """Archives of all of Redis' databases; a stack's lie with its backups, another server's by themselves.

    Only Redis: a migration touches neither PostgreSQL nor volumes, and agents needn't stand still for it.
    """
    whole = plan_backup(
        stack.catalogs,
        tiers=backed_up_tiers(stack.catalogs),
        encrypt_all=stack.settings.backup_encryption == "all",
    )
    plan = [replace(each, postgres=False, complete=False) for each in whole]
    settings = stack.settings
    place = local_place(stack) if of_stack else LocalPlace(session.state_dir / ARCHIVES)

    def take(copy: CopyStream) -> str:
        with place.lock():
            for name in place.clear_garbage():
                say(f"cleared away {name}, which was never finished")
            keys = ensure_keys(stack, lambda path: warn(NEW_KEY.format(path=path)))
            manifests = take_archives(
                plan,
                RedisOnly(session),
                place,
                Sealing(keys, parse_recipients([keys.recipient, *settings.backup_recipients.split()])),
                Origin(settings.project, project_version(settings.root), stack.catalogs.digest),
                now=lambda: datetime.now(UTC),
                progress=progress,
                on_retry=lambda error: warn(f"{error.message}; once more"),
                copy=copy,
            )
        return " ".join(manifest.id for manifest in manifests)

    return take


@dataclass(frozen=True)
class RedisOnly:
    """The server of a session as a source of archives, see taking.Sources; there is nothing else to take."""

    session: Session
    postgres_database: str = ""

    def describe_server(self) -> ServerState:
        """What INFO says."""
        observed = self.session.observe()
        identity = observed.identity
        return ServerState(
            identity.version, identity.run_id, identity.replication_ids[0], observed.replication_offset
        )

    def open_stream(self) -> AbstractContextManager[Source]:
        """Its stream."""
        return ReplicationStream(self.session.streams)

    def dump_postgres(self, writer: SealingWriter) -> PostgresContent:
        """Never asked for."""
        raise NotImplementedError

    def volumes(self, _tier: str) -> Sequence[str]:
        """None."""
        return ()

    def rebuilt_volumes(self, _tier: str) -> Sequence[RebuiltVolume]:
        """None."""
        return ()

    def archive_volume(self, service: str, writer: SealingWriter) -> VolumeContent:
        """Never asked for."""
        raise NotImplementedError
