"""Bring back what an archive holds: one database beside the live one, exchanged at one stroke."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke import Collection, Context, task

from autobot_ops.command import current_stack, recorded, verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from autobot_ops.restore.ledger import Record
    from autobot_ops.restore.loading import Loaded
    from autobot_ops.stack.stack import Stack

JSON_HELP = "print one JSON document"
NAME_HELP = "name of the restored database"


@task(
    name="run",
    default=True,
    help={
        "database": "which database of the archive",
        "from": "which archive (inv backup.list); the newest with the database if not given",
        "at": "the newest archive that is not younger than this: 2026-11-23T04:18",
        "match": "only keys that match, such as 'session:*'",
        "into": "another database of the catalog to restore into",
        "all": "every database, into an empty server",
        "fast": "load without regard for the latency of other clients",
        "dry_run": "show what would be done, do nothing",
        "json": JSON_HELP,
        "yes": "ask nothing",
    },
)
@verb
@recorded("restore", "database", "from_", "at", "match", "into", "all")
def restore_run(
    context: Context,
    database: str = "",
    from_: str = "",
    at: str = "",
    match: str = "",
    into: str = "",
    all: bool = False,
    fast: bool = False,
    dry_run: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Restore a database: load it beside the live one, compare, exchange; undo is one command."""
    from datetime import datetime

    from autobot_ops import frontend
    from autobot_ops.errors import ConfigurationError
    from autobot_ops.restore.choice import parse_moment
    from autobot_ops.restore.restoring import apply_restore, prepare, recover
    from autobot_ops.stack.restore import alone, archive_part, request_of

    stack = current_stack()
    before = parse_moment(at, datetime.now().astimezone()) if at else None
    if bool(database) is all or (all and (from_ or match or into or fast)):
        raise ConfigurationError(
            "one of --database NAME and --all is needed, and --all goes with --at only",
            hint="inv restore --database sessions, or inv restore --all for an empty server.",
        )
    if all:
        _restore_all(stack, before, dry_run=dry_run or context.config.run.dry, json=json, yes=yes)
        return
    request = request_of(stack, database, into, match)
    only_show = dry_run or context.config.run.dry
    with alone(stack) as server, archive_part(stack, request, named=from_, before=before) as (part, wanted):
        if not only_show:
            _say_recovered(recover(server))
        with frontend.work(f"reading {part.archive}", unit="bytes"):
            prepared = prepare(server, part, wanted)
        if only_show and json:
            frontend.emit_json({"plan": asdict(prepared.plan)})
            return
        (frontend.result if only_show else frontend.say)("\n".join(prepared.plan.steps))
        if only_show:
            return
        frontend.confirm(f"restore '{wanted.database}' from {part.archive}?", assume_yes=yes)
        with frontend.work("loading", unit="keys", total=prepared.plan.keys) as work:

            def show(word: str, loaded: Loaded | None) -> None:
                work.set(loaded.keys if loaded else 0, word)

            record = apply_restore(server, prepared, fast=fast, step=show)
    if json:
        frontend.emit_json({"plan": asdict(prepared.plan), "restore": asdict(record)})
        return
    frontend.result(
        f"'{record.database}' has {record.keys:,} keys of {record.archive}; {record.expired:,} had expired. "
        f"What was there is kept in {record.kept_in}."
    )
    frontend.say(
        f"inv restore.commit {record.database} gives it up, inv restore.undo {record.database} takes it back."
    )


def _restore_all(stack: Stack, before: datetime | None, *, dry_run: bool, json: bool, yes: bool) -> None:
    from autobot_ops import frontend
    from autobot_ops.stack.restore_whole import plan_whole, restore_whole

    plan = plan_whole(stack, before)
    if dry_run and json:
        frontend.emit_json({"steps": plan.steps, "archives": plan.archives})
        return
    (frontend.result if dry_run else frontend.say)("\n".join(plan.steps))
    if dry_run:
        return
    frontend.confirm("restore all of them into this empty server?", assume_yes=yes)
    keys = restore_whole(stack, plan, frontend.say)
    if json:
        frontend.emit_json({"archives": plan.archives, "keys": keys})
        return
    frontend.result(f"restored {len(keys)} databases with {sum(keys.values()):,} keys")


@task(name="commit", help={"database": NAME_HELP, "json": JSON_HELP, "yes": "ask nothing"})
@verb
@recorded("restore.commit", "database")
def restore_commit(context: Context, database: str, json: bool = False, yes: bool = False) -> None:
    """Give up what a restored database held before."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import commit, find_open, recover
    from autobot_ops.stack.restore import alone

    with alone(current_stack()) as server:
        if context.config.run.dry:
            frontend.result(f"would give up staging {find_open(server, database).kept_in}")
            return
        _say_recovered(recover(server))
        find_open(server, database)
        frontend.confirm(f"give up what '{database}' held before its restore, for good?", assume_yes=yes)
        record = commit(server, database)
    if json:
        frontend.emit_json({"committed": asdict(record)})
        return
    frontend.result(f"'{database}' stays as it was restored from {record.archive}")


@task(name="undo", help={"database": NAME_HELP, "json": JSON_HELP, "yes": "ask nothing"})
@verb
@recorded("restore.undo", "database")
def restore_undo(context: Context, database: str, json: bool = False, yes: bool = False) -> None:
    """Put back what a restored database held before, and give up what was restored."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import find_open, recover, undo
    from autobot_ops.stack.restore import alone

    with alone(current_stack()) as server:
        if context.config.run.dry:
            frontend.result(f"would put back staging {find_open(server, database).kept_in}")
            return
        _say_recovered(recover(server))
        find_open(server, database)
        question = f"give up the restored '{database}', with all that was written to it since?"
        frontend.confirm(question, assume_yes=yes)
        record = undo(server, database)
    if json:
        frontend.emit_json({"undone": asdict(record)})
        return
    frontend.result(f"'{database}' is what it was before {record.exchanged_at}")


@task(name="list", help={"json": JSON_HELP})
@verb
def restore_list(context: Context, json: bool = False) -> None:
    """List the restores that were neither committed nor undone; clear away what a crash left."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import list_restores, recover
    from autobot_ops.stack.restore import alone

    with alone(current_stack()) as server:
        if not context.config.run.dry:
            _say_recovered(recover(server))
        records = list_restores(server)
    if json:
        frontend.emit_json({"restores": [asdict(record) for record in records]})
        return
    rows = [
        (
            each.database,
            each.match or "",
            each.archive,
            f"{each.keys:,}",
            each.exchanged_at or each.state,
            each.kept_in,
        )
        for each in records
    ]
    if rows:
        frontend.table("", ("database", "match", "archive", "keys", "exchanged", "former content"), rows)
    else:
        frontend.result("no restore is open")


def _say_recovered(records: Sequence[Record]) -> None:
    from autobot_ops import frontend

    for record in records:
        frontend.warn(
            f"a restore of '{record.database}' that began {record.began_at} had not ended; what it left was "
            "cleared away"
        )


restore = Collection("restore")
for restore_task in (restore_run, restore_commit, restore_undo, restore_list):
    restore.add_task(restore_task)
