"""`inv migrate` on a stack, or on a server by its URL: where it works, and its safety archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from autobot_ops.adapters.redis_server import command_endpoint, endpoint_from_url
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import RebuiltVolume
from autobot_ops.backup.plan import backed_up_tiers, plan_backup
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import SealingWriter
from autobot_ops.backup.stream_copy import Progress
from autobot_ops.backup.taking import CopyStream, ServerState
from autobot_ops.migration.routes import make_routes
from autobot_ops.migration.session import Session, TakeArchives
from autobot_ops.rdb.stream import ReplicationStream
from autobot_ops.rdb.window import Source
from autobot_ops.stack.backup import run_backup
from autobot_ops.stack.stack import Stack

ARCHIVES = "migration-archives"


def open_session(stack: Stack, url: str, extra_routes: Sequence[tuple[str, str]]) -> Session:
    """The stack's server with its users, or another one by its URL. Raises RedisOutOfReach, InvalidAddress."""
    if url:
        commands = streams = endpoint_from_url(url)
    else:
        commands, streams = command_endpoint(stack, "migrate"), command_endpoint(stack, "backup")
    return Session(
        commands,
        streams,
        stack.settings.project_state_dir,
        make_routes(stack.catalogs.databases, extra_routes),
        stack.catalogs.digest,
    )


def safety_archives(
    stack: Stack,
    session: Session,
    *,
    of_stack: bool,
    progress: Progress,
    say: Callable[[str], object],
    warn: Callable[[str], object],
) -> TakeArchives:
    """Archives of all tiers: a stack's are ordinary backups; another server's lie in the state folder."""
    plan = plan_backup(
        stack.catalogs,
        tiers=backed_up_tiers(stack.catalogs),
        encrypt_all=stack.settings.backup_encryption == "all",
    )
    if not of_stack:
        plan = tuple(replace(each, postgres=False, complete=False) for each in plan)

    def take(copy: CopyStream) -> str:
        manifests = run_backup(
            stack,
            plan,
            progress=progress,
            say=say,
            warn=warn,
            copy=copy,
            sources=None if of_stack else _OtherServer(session),
            place=None if of_stack else LocalPlace(session.state_dir / ARCHIVES),
        )
        return " ".join(manifest.id for manifest in manifests)

    return take


@dataclass(frozen=True)
class _OtherServer:
    """A server that isn't the stack's, as a source of archives: Redis and nothing else."""

    session: Session
    postgres_database: str = ""

    def describe_server(self) -> ServerState:
        identity = self.session.observe().identity
        return ServerState(identity.version, identity.run_id, identity.replication_ids[0], 0)

    def open_stream(self) -> AbstractContextManager[Source]:
        return ReplicationStream(self.session.streams)

    def dump_postgres(self, writer: SealingWriter) -> PostgresContent:
        raise NotImplementedError

    def volumes(self, tier: str) -> Sequence[str]:
        return ()

    def rebuilt_volumes(self, tier: str) -> Sequence[RebuiltVolume]:
        return ()

    def archive_volume(self, service: str, writer: SealingWriter) -> None:
        raise NotImplementedError
