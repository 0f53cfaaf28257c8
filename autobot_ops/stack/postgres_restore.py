"""Restore PostgreSQL under a running stack: who writes to it stops for the exchange and starts again.

An agent reconnects by itself. It is stopped all the same, so that no entry is written unseen in the last
moment, and because its start is what brings its search index in line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.restore.postgres import PostgresRestore, clear_staged
from autobot_ops.stack.failure import watched_failure
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.watch import Failure, OnChange, wait_until_well


def open_restore(stack: Stack, database: str, restore_id: str) -> PostgresRestore:
    """A restore of a database of the stack's PostgreSQL."""
    return PostgresRestore(runner_inside(stack, "postgres"), database, restore_id)


def replace_database(
    stack: Stack,
    restore: PostgresRestore,
    dump: Iterable[bytes],
    expected: PostgresContent,
    *,
    on_change: OnChange,
) -> None:
    """Stage a dump and exchange it for the live database; the former is kept for `undo_replacement`.

    Raises as PostgresRestore.stage and .exchange, with the live database as it was and in use; StackFailure
    where an agent isn't well afterwards.
    """
    clear_staged(restore.runner, restore.live)
    restore.stage(dump, expected)
    with _writers_stopped(stack, on_change):
        restore.exchange()


def undo_replacement(stack: Stack, restore: PostgresRestore, *, on_change: OnChange) -> None:
    """Take the former database back, as PostgresRestore.undo."""
    with _writers_stopped(stack, on_change):
        restore.undo()


@contextmanager
def _writers_stopped(stack: Stack, on_change: OnChange) -> Iterator[None]:
    before = stack.observe()
    writers = [
        service
        for name, agent in stack.catalogs.agents.items()
        if agent.postgres and (service := f"{name}-agent") in before and before[service].status == "running"
    ]
    if not writers:
        yield
        return
    compose = stack.compose_for_looking()
    for service in writers:
        on_change(service, "stopping", 0)
    compose.query("stop", "--timeout", str(stack.settings.stop_timeout), *writers)
    try:
        yield
    finally:
        compose.query("start", *writers)
    try:
        wait_until_well(
            stack.observe, writers, seconds=stack.settings.up_timeout, first=before, on_change=on_change
        )
    except Failure as failure:
        raise watched_failure(stack, failure) from failure
