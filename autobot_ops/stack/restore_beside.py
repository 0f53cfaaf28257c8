"""Restoring what isn't a database of Redis: PostgreSQL, and volumes. Beside what is live, then exchanged.

What was there before is kept where it was (a database of another name, a folder in the volume), and that
alone says which restores are open: there is no record that could disagree with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.backup.manifest import Manifest, PostgresPart, VolumePart
from autobot_ops.backup.parts import open_part
from autobot_ops.backup.volumes import volumes_of_tier
from autobot_ops.catalog.load import UnknownName
from autobot_ops.restore.choice import Choice, choose_part
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.restore.postgres import FormerKept, NothingKept, formers
from autobot_ops.restore.volumes import VolumeRestore
from autobot_ops.stack.archives import listed_archives, stack_keys
from autobot_ops.stack.backup import POSTGRES_DATABASE
from autobot_ops.stack.failure import watched_failure
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.postgres_restore import open_restore, replace_database, undo_replacement
from autobot_ops.stack.restore import place_of
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.volumes import data_volume
from autobot_ops.stack.watch import Failure, OnChange, wait_until_well

POSTGRES = "postgres"
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class OpenRestore:
    """A restore that was neither committed nor undone: of `postgres` or a service's volume."""

    name: str
    id: str


def restorable(stack: Stack) -> tuple[str, ...]:
    """Names of what can be restored beside Redis' databases."""
    catalogs = stack.catalogs
    volumes = (service for tier in catalogs.tiers for service in volumes_of_tier(catalogs, tier)[0])
    return (*((POSTGRES,) if any(agent.postgres for agent in catalogs.agents.values()) else ()), *volumes)


def full_name(stack: Stack, name: str) -> str:
    """`postgres`, or the service that a person means (`rag`). Raises UnknownName."""
    known = restorable(stack)
    for candidate in (name, f"{name}-agent"):
        if candidate in known:
            return candidate
    raise UnknownName("part", name, known)


def choose(
    stack: Stack, name: str, *, named: str = "", before: datetime | None = None
) -> Choice[PostgresPart] | Choice[VolumePart]:
    """The archive to restore it from. Raises NoSuchArchive, UnusableArchive, KeyFileUnusable."""
    stack_keys(stack)  # without them the manifests' seals would go unchecked
    archives = listed_archives(stack).archives
    if name == POSTGRES:
        return choose_part(archives, _postgres_of, "a dump of PostgreSQL", named=named, before=before)

    def volume_of(manifest: Manifest) -> VolumePart | None:
        return next((part for part in manifest.volumes if part.content.service == name), None)

    return choose_part(archives, volume_of, f"the volume of {name}", named=named, before=before)


def steps(name: str, choice: Choice[PostgresPart] | Choice[VolumePart]) -> tuple[str, ...]:
    """The plan in words."""
    part = choice.part
    if isinstance(part, PostgresPart):
        rows = sum(table.rows for table in part.content.tables.values())
        what = f"{len(part.content.tables)} tables with {rows:,} rows"
        who = "agents that write to it stop for the exchange and start again"
    else:
        what, who = f"{part.content.files} files", f"{name} stops for the exchange and starts again"
    return (
        f"load {name} from {choice.archive.id}: {what}, beside what is live",
        "compare it with the archive",
        f"exchange the two; {who}",
        f"keep what was there, until inv restore.commit {name} or inv restore.undo {name}",
    )


def restore_beside(
    stack: Stack, choice: Choice[PostgresPart] | Choice[VolumePart], *, on_change: OnChange
) -> OpenRestore:
    """Do it. What is live is untouched until the exchange. Raises RestoreUnderWay, FormerKept.

    Also as PostgresRestore and VolumeRestore do, and StackFailure where an agent isn't well afterwards.
    """
    part, restore_id = choice.part, f"r{datetime.now(UTC):%Y%m%dt%H%M%S}"
    place, keys = place_of(stack, choice.archive), stack_keys(stack)
    archive_id = choice.archive.id
    with restoring_alone(stack.settings.project_state_dir), place.reading(archive_id):
        name = POSTGRES if isinstance(part, PostgresPart) else part.content.service
        if kept := _kept(stack, name):
            raise FormerKept(
                f"a restore of {name} is still open: {kept[0]}",
                hint=f"inv restore.commit {name} ends it, inv restore.undo {name} takes it back.",
            )
        with open_part(place, archive_id, part, keys.identities) as plain:
            pieces: Iterable[bytes] = iter(lambda: plain.read(_PIECE_BYTES), b"")
            if isinstance(part, PostgresPart):
                database = open_restore(stack, POSTGRES_DATABASE, restore_id)
                replace_database(stack, database, pieces, part.content, on_change=on_change)
            else:
                volume = VolumeRestore(data_volume(stack, name), restore_id)
                volume.stage(pieces, part.content)
                with _well_afterwards(stack, name, on_change):
                    volume.exchange()
    return OpenRestore(name, restore_id)


def open_restores(stack: Stack) -> list[OpenRestore]:
    """All that are neither committed nor undone."""
    return [OpenRestore(name, each) for name in restorable(stack) for each in _kept(stack, name)]


def commit_beside(stack: Stack, name: str) -> OpenRestore:
    """Give up what was there before. Raises NothingKept, RestoreUnderWay."""
    with restoring_alone(stack.settings.project_state_dir):
        found = _open(stack, name)
        if name == POSTGRES:
            open_restore(stack, POSTGRES_DATABASE, found.id).commit()
        else:
            VolumeRestore(data_volume(stack, name), found.id).commit()
    return found


def undo_beside(stack: Stack, name: str, *, on_change: OnChange) -> OpenRestore:
    """Take back what was there before. Raises NothingKept, RestoreUnderWay."""
    with restoring_alone(stack.settings.project_state_dir):
        found = _open(stack, name)
        if name == POSTGRES:
            database = open_restore(stack, POSTGRES_DATABASE, found.id)
            undo_replacement(stack, database, on_change=on_change)
        else:
            with _well_afterwards(stack, name, on_change):
                VolumeRestore(data_volume(stack, name), found.id).undo()
    return found


def _postgres_of(manifest: Manifest) -> PostgresPart | None:
    return next((part for part in manifest.postgres if part.content.database == POSTGRES_DATABASE), None)


def _kept(stack: Stack, name: str) -> list[str]:
    if name == POSTGRES:
        names = formers(runner_inside(stack, POSTGRES), POSTGRES_DATABASE)
        return [each.removeprefix(f"{POSTGRES_DATABASE}_former_") for each in names]
    return VolumeRestore(data_volume(stack, name), "look").kept


def _open(stack: Stack, name: str) -> OpenRestore:
    kept = _kept(stack, name)
    if not kept:
        raise NothingKept(f"no restore of {name} is open", hint="inv restore.list shows those that are.")
    return OpenRestore(name, kept[-1])


@contextmanager
def _well_afterwards(stack: Stack, service: str, on_change: OnChange) -> Iterator[None]:
    before = stack.observe()
    yield
    if service not in before or before[service].status != "running":
        return
    seconds = stack.settings.up_timeout
    try:
        wait_until_well(stack.observe, [service], seconds=seconds, first=before, on_change=on_change)
    except Failure as failure:
        raise watched_failure(stack, failure) from failure
