"""Take archives: one stream of Redis for all of them, PostgreSQL and volumes beside it, then the commits.

Knows no stack: `Sources` says where the data come from. All or nothing up to the first commit; the
archives of one run are committed one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autobot_ops.backup.background import share_one_arena
from autobot_ops.backup.draft import ArchiveDraft, Origin, Sealing
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import Manifest, RebuiltVolume, Server, VolumeContent
from autobot_ops.backup.plan import PlannedArchive
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import SealingWriter
from autobot_ops.backup.stream_copy import CopiedStream, Progress, copy_stream
from autobot_ops.rdb.errors import StreamEndedEarly
from autobot_ops.rdb.window import Source

CopyStream = Callable[..., CopiedStream]
"""Shape of copy_stream; a migration puts its own in place, which makes its plan from the same bytes."""

ATTEMPTS = 3
"""A stream that FLUSHALL, a killed child or a slow reader cut off is asked for again."""


@dataclass(frozen=True)
class ServerState:
    """The Redis server as its INFO describes it."""

    version: str
    run_id: str
    replication_id: str
    replication_offset: int


class Sources(Protocol):
    """Where the data of a backup come from."""

    def describe_server(self) -> ServerState:
        """The Redis server, before the stream."""
        ...

    def open_stream(self) -> AbstractContextManager[Source]:
        """Its replication stream."""
        ...

    def dump_postgres(self, writer: SealingWriter) -> PostgresContent:
        """Write the dump of the stack's database."""
        ...

    @property
    def postgres_database(self) -> str:
        """Its name."""
        ...

    def volumes(self, tier: str) -> Sequence[str]:
        """Services whose volume belongs to a tier and can't be rebuilt."""
        ...

    def rebuilt_volumes(self, tier: str) -> Sequence[RebuiltVolume]:
        """Volumes that belong to a tier and can be rebuilt."""
        ...

    def archive_volume(self, service: str, writer: SealingWriter) -> VolumeContent:
        """Write a volume as a tar file; what it holds."""
        ...


def take_archives(
    plan: Sequence[PlannedArchive],
    sources: Sources,
    place: LocalPlace,
    sealing: Sealing,
    origin: Origin,
    *,
    now: Callable[[], datetime],
    progress: Progress | None = None,
    on_retry: Callable[[StreamEndedEarly], object] = lambda error: None,
    copy: CopyStream = copy_stream,
) -> list[Manifest]:
    """Make the planned archives; their manifests. To be called under the place's lock.

    Raises what the sources raise, StorageFailed and the errors of autobot_ops.rdb; what isn't committed
    then leaves nothing.
    """
    share_one_arena()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(plan, sources, place, sealing, origin, now, progress, copy)
        except StreamEndedEarly as error:
            if attempt == ATTEMPTS:
                raise
            on_retry(error)
    raise AssertionError("unreachable")


def _attempt(
    plan: Sequence[PlannedArchive],
    sources: Sources,
    place: LocalPlace,
    sealing: Sealing,
    origin: Origin,
    now: Callable[[], datetime],
    progress: Progress | None,
    copy: CopyStream,
) -> list[Manifest]:
    with ExitStack() as undone:
        taken_at = now()
        drafts = [undone.enter_context(ArchiveDraft(place, planned, taken_at, sealing)) for planned in plan]
        described = sources.describe_server()
        where = {each.number: (draft, each.name) for draft in drafts for each in draft.planned.databases}
        takes_instance = next((draft for draft in drafts if draft.planned.instance), None)
        with sources.open_stream() as stream:
            copied = copy(
                stream,
                where,
                lambda number: where[number][0].open_database(where[number][1]),
                takes_instance.open_instance if takes_instance else None,
                progress=progress,
            )
        # After the stream: a row without its copy in Redis is mended by the agent, the reverse isn't.
        for draft in drafts:
            _add_other_parts(draft, sources)
        server = Server(
            version=described.version,
            run_id=described.run_id,
            replication_id=described.replication_id,
            replication_offset=described.replication_offset,
            rdb_header=copied.header,
        )
        return [draft.commit(copied, server, origin, now) for draft in drafts]


def _add_other_parts(draft: ArchiveDraft, sources: Sources) -> None:
    if draft.planned.postgres:
        writer = draft.open_postgres(sources.postgres_database)
        draft.finish_postgres(sources.dump_postgres(writer))
    if draft.planned.complete:
        for service in sources.volumes(draft.planned.tier):
            draft.finish_volume(sources.archive_volume(service, draft.open_volume(service)))
        draft.note_rebuilt(sources.rebuilt_volumes(draft.planned.tier))
