"""Bring back what an archive holds: one database beside the live one, exchanged at one stroke."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke import Collection, Context

from autobot_ops.command import current_stack, recorded, task, verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from autobot_ops.restore.ledger import Record
    from autobot_ops.restore.loading import Loaded
    from autobot_ops.stack.stack import Stack

JSON_HELP = "print one JSON document"
NAME_HELP = "what was restored: a database, postgres, or a service whose volume was"


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
        "postgres": "PostgreSQL",
        "volume": "the volume of a service, such as rag",
        "fast": "load without regard for the latency of other clients",
        "dry_run": "show what would be done, do nothing",
        "json": JSON_HELP,
        "yes": "ask nothing",
    },
)
@verb
@recorded("restore", "database", "from_", "at", "match", "into", "all", "postgres", "volume")
def restore_run(
    context: Context,
    database: str = "",
    from_: str = "",
    at: str = "",
    match: str = "",
    into: str = "",
    all: bool = False,
    postgres: bool = False,
    volume: str = "",
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
    from autobot_ops.stack.restore import alone, archive_part, exchanged, request_of

    stack = current_stack()
    before = parse_moment(at, datetime.now().astimezone()) if at else None
    if sum(map(bool, (database, all, postgres, volume))) != 1:
        raise ConfigurationError(
            "one of --database NAME, --postgres, --volume SERVICE and --all is needed",
            hint="inv restore --database sessions, or inv restore --all for an empty server.",
        )
    if ((match or into or fast) and not database) or (all and from_):
        raise ConfigurationError(
            "--match, --into and --fast go with --database, and --from not with --all",
            hint="inv --help restore says what each is for.",
        )
    if postgres or volume:
        only = dry_run or context.config.run.dry
        _restore_beside(stack, volume, from_, before, dry_run=only, json=json, yes=yes)
        return
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
        exchanged(stack, wanted.database)
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


def _restore_beside(
    stack: Stack, volume: str, named: str, before: datetime | None, *, dry_run: bool, json: bool, yes: bool
) -> None:
    from autobot_ops import frontend
    from autobot_ops.stack.restore_beside import POSTGRES, choose, full_name, restore_beside, steps

    name = full_name(stack, volume or POSTGRES)
    choice = choose(stack, name, named=named, before=before)
    plan = steps(name, choice)
    if dry_run and json:
        frontend.emit_json({"plan": {"archive": choice.archive.id, "steps": plan}})
        return
    (frontend.result if dry_run else frontend.say)("\n".join(plan))
    if dry_run:
        return
    frontend.confirm(f"restore {name} from {choice.archive.id}?", assume_yes=yes)
    with frontend.progress("", ("service", "state")) as progress:
        restored = restore_beside(
            stack, choice, on_change=lambda service, word, _: progress.update(service, word)
        )
    if json:
        frontend.emit_json({"archive": choice.archive.id, "restore": asdict(restored)})
        return
    frontend.result(f"{name} is that of {choice.archive.id}; what was there is kept beside it")
    frontend.say(f"inv restore.commit {name} gives it up, inv restore.undo {name} takes it back.")


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


@task(name="commit", help={"name": NAME_HELP, "json": JSON_HELP, "yes": "ask nothing"})
@verb
@recorded("restore.commit", "name")
def restore_commit(context: Context, name: str, json: bool = False, yes: bool = False) -> None:
    """Give up what was there before a restore."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import commit, find_open, recover
    from autobot_ops.stack.restore import alone
    from autobot_ops.stack.restore_beside import commit_beside, full_name

    stack = current_stack()
    question = f"give up what '{name}' held before its restore, for good?"
    if name not in stack.catalogs.databases:
        beside = full_name(stack, name)
        if context.config.run.dry:
            frontend.result(f"would give up what {beside} held before its restore")
            return
        frontend.confirm(question, assume_yes=yes)
        ended = commit_beside(stack, beside)
        if json:
            frontend.emit_json({"committed": asdict(ended)})
        else:
            frontend.result(f"{beside} stays as it was restored")
        return
    with alone(stack) as server:
        if context.config.run.dry:
            frontend.result(f"would give up staging {find_open(server, name).kept_in}")
            return
        _say_recovered(recover(server))
        find_open(server, name)
        frontend.confirm(question, assume_yes=yes)
        record = commit(server, name)
    if json:
        frontend.emit_json({"committed": asdict(record)})
        return
    frontend.result(f"'{name}' stays as it was restored from {record.archive}")


@task(name="undo", help={"name": NAME_HELP, "json": JSON_HELP, "yes": "ask nothing"})
@verb
@recorded("restore.undo", "name")
def restore_undo(context: Context, name: str, json: bool = False, yes: bool = False) -> None:
    """Put back what was there before a restore, and give up what was restored."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import find_open, recover, undo
    from autobot_ops.stack.restore import alone, exchanged
    from autobot_ops.stack.restore_beside import full_name, undo_beside

    stack = current_stack()
    question = f"give up the restored '{name}', with all that was written to it since?"
    if name not in stack.catalogs.databases:
        beside = full_name(stack, name)
        if context.config.run.dry:
            frontend.result(f"would put back what {beside} held before its restore")
            return
        frontend.confirm(question, assume_yes=yes)
        with frontend.progress("", ("service", "state")) as progress:
            ended = undo_beside(
                stack, beside, on_change=lambda service, word, _: progress.update(service, word)
            )
        if json:
            frontend.emit_json({"undone": asdict(ended)})
        else:
            frontend.result(f"{beside} is what it was before its restore")
        return
    with alone(stack) as server:
        if context.config.run.dry:
            frontend.result(f"would put back staging {find_open(server, name).kept_in}")
            return
        _say_recovered(recover(server))
        find_open(server, name)
        frontend.confirm(question, assume_yes=yes)
        record = undo(server, name)
        exchanged(stack, name)
    if json:
        frontend.emit_json({"undone": asdict(record)})
        return
    frontend.result(f"'{name}' is what it was before {record.exchanged_at}")


@task(name="list", help={"json": JSON_HELP})
@verb
def restore_list(context: Context, json: bool = False) -> None:
    """List the restores that were neither committed nor undone; clear away what a crash left."""
    from autobot_ops import frontend
    from autobot_ops.restore.restoring import list_restores, recover
    from autobot_ops.stack.restore import alone
    from autobot_ops.stack.restore_beside import open_restores

    stack = current_stack()
    with alone(stack) as server:
        if not context.config.run.dry:
            _say_recovered(recover(server))
        records = list_restores(server)
    beside = open_restores(stack)
    if json:
        frontend.emit_json({"restores": [*map(asdict, records), *map(asdict, beside)]})
        return
    rows: list[tuple[object, ...]] = [
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
    rows += [(each.name, "", "", "", each.id, "beside it") for each in beside]
    if rows:
        frontend.table("", ("what", "match", "archive", "keys", "exchanged", "former content"), rows)
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
