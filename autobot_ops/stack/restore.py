"""`inv restore` on a stack: from which archives, to which server, as which users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from autobot_ops.adapters.redis_server import dialer, endpoint_for
from autobot_ops.backup.listing import ListedArchive
from autobot_ops.backup.parts import open_part
from autobot_ops.backup.places import Place
from autobot_ops.catalog.load import UnknownName
from autobot_ops.errors import ExternalCommandFailed, PartlyDone, ServiceUnreachable
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.choice import choose_archive
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.restore.plan import Request
from autobot_ops.restore.postgres_renewal import forget_mirror
from autobot_ops.restore.server import RestoreServer
from autobot_ops.stack.archives import listed_archives, stack_keys
from autobot_ops.stack.backup import POSTGRES_DATABASE
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.retention import archive_places
from autobot_ops.stack.stack import Stack


class CopiesNotRenewed(PartlyDone):
    """The database is restored; copies in it may be older than PostgreSQL's rows."""


def restore_server(stack: Stack) -> RestoreServer:
    """The running Redis. Raises RedisOutOfReach."""
    return RestoreServer(
        restore=dialer(stack, "restore"),
        migrate=dialer(stack, "migrate"),
        loading=endpoint_for(stack, "restore"),
        stream=endpoint_for(stack, "backup"),
        databases=stack.settings.redis_databases,
    )


@contextmanager
def alone(stack: Stack) -> Iterator[RestoreServer]:
    """The running Redis, with the lock of its restores. Raises RestoreUnderWay, RedisOutOfReach."""
    with restoring_alone(stack.settings.project_state_dir):
        yield restore_server(stack)


def request_of(stack: Stack, source: str, into: str, match: str | None) -> Request:
    """What is wanted, its names looked up in the catalog. The archive comes with `archive_part`."""
    database = into or source
    for name in (source, database):
        if name not in stack.catalogs.databases:
            raise UnknownName("database", name, stack.catalogs.databases)
    return Request("", source, database, stack.catalogs.databases[database].number, match or None)


@contextmanager
def archive_part(
    stack: Stack, request: Request, *, named: str = "", before: datetime | None = None
) -> Iterator[tuple[ArchivePart, Request]]:
    """The part to restore, and the request with its archive's name; kept from being pruned meanwhile.

    Raises NoSuchArchive, UnusableArchive, KeyFileUnusable, StorageFailed.
    """
    keys = stack_keys(stack)
    choice = choose_archive(listed_archives(stack).archives, request.source, named=named, before=before)
    place = place_of(stack, choice.archive)
    archive_id, part = choice.archive.id, choice.part
    with place.reading(archive_id):
        yield (
            ArchivePart(archive_id, part, lambda: open_part(place, archive_id, part, keys.identities)),
            replace(request, archive=archive_id),
        )


def exchanged(stack: Stack, database: str) -> None:
    """Have copies of PostgreSQL's rows written anew in a database whose content was exchanged.

    They are those of the agent with PostgreSQL whose own data belong to that database. Raises
    CopiesNotRenewed.
    """
    if not any(
        agent.postgres and agent.volume is not None and agent.volume.database == database
        for agent in stack.catalogs.agents.values()
    ):
        return
    try:
        forget_mirror(runner_inside(stack, "postgres"), POSTGRES_DATABASE)
    except (ServiceUnreachable, ExternalCommandFailed) as error:
        raise CopiesNotRenewed(
            f"'{database}' was exchanged, but PostgreSQL's rows aren't copied into it anew: {error.message}",
            hint="Start PostgreSQL (inv up), then run inv restore --postgres or restore the database again.",
        ) from error


def place_of(stack: Stack, archive: ListedArchive) -> Place:
    """Where the chosen archive lies; one that lies in several places is read from this machine."""
    return {place.name: place for place in archive_places(stack)}[archive.place]
