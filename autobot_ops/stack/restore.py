"""`inv restore` on a stack: from which archives, to which server, as which users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from autobot_ops.adapters.redis_server import dialer, endpoint_for
from autobot_ops.backup.key_file import KEY_FILE, load_keys
from autobot_ops.backup.listing import list_archives
from autobot_ops.backup.parts import open_part
from autobot_ops.catalog.load import UnknownName
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.choice import choose_archive
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.restore.plan import Request
from autobot_ops.restore.server import RestoreServer
from autobot_ops.stack.backup import local_place
from autobot_ops.stack.stack import Stack


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
    place = local_place(stack)
    keys = load_keys(stack.settings.secrets_dir / KEY_FILE)
    choice = choose_archive(list_archives([place], keys).archives, request.source, named=named, before=before)
    archive_id, part = choice.archive.id, choice.part
    with place.reading(archive_id):
        yield (
            ArchivePart(archive_id, part, lambda: open_part(place, archive_id, part, keys.identities)),
            replace(request, archive=archive_id),
        )
