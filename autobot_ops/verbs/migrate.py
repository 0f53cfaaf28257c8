"""Move the keys of an old installation from database 0 into the databases that the catalog describes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from invoke import Collection, Context

from autobot_ops.command import current_journal, current_stack, task, verb

JSON_HELP = "print one JSON document"


@task(
    name="run",
    default=True,
    iterable=["route"],
    optional=["rollback"],
    help={
        "dry_run": "plan and show, move nothing",
        "route": "PATTERN=DATABASE, wins over the catalog where both fit as well; may be repeated",
        "rules": "a file with one such route a line",
        "plan_file": "with --dry-run: save the plan there; else: apply the plan of this file",
        "url": "a server (redis://…, rediss://…) in place of the stack's",
        "source": "bring the keys of another server (redis://…, rediss://…) here",
        "source_db": "that server's database, 0 if not given",
        "delete_source": "delete there, key by key, what was brought and verified",
        "no_backup": "make no safety archive",
        "on_conflict": "fail, skip, replace or keep-newer",
        "max_rate": "keys per second at most",
        "watch": "go on sweeping until Ctrl-C, and say who still writes legacy keys; then verify and report",
        "rollback": "take a run back: the newest, or the one of this id",
        "yes": "don't ask",
        "json": JSON_HELP,
    },
)
@verb
def migrate_run(
    context: Context,
    route: list[str],
    dry_run: bool = False,
    rules: str = "",
    plan_file: str = "",
    url: str = "",
    source: str = "",
    source_db: int = 0,
    delete_source: bool = False,
    no_backup: bool = False,
    on_conflict: str = "fail",
    max_rate: int = 0,
    watch: bool = False,
    rollback: str | bool = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """Move legacy keys of database 0 into their databases: nothing lost, nothing stopped, reversible."""
    from autobot_ops.adapters.redis_server import endpoint_from_url
    from autobot_ops.migration.routes import parse_route, read_rules
    from autobot_ops.stack.migrate import open_session, open_target, safety_archives
    from autobot_ops.verbs.migration_steps import Options, known_choice, migrate_keys
    from autobot_ops.verbs.rollback_steps import take_back
    from autobot_ops.verbs.transfer_steps import (
        TransferOptions,
        refuse_with_source,
        refuse_without_source,
        transfer_keys,
    )

    stack = current_stack()
    extra = [*map(parse_route, route), *(read_rules(rules) if rules else ())]
    dry_run = dry_run or bool(context.config.run.dry)
    choice = known_choice(on_conflict)
    facts = {"source": source, "url": url, "on_conflict": on_conflict, "plan_file": plan_file}
    if source:
        refuse_with_source(plan_file=plan_file, rollback=rollback, watch=watch, max_rate=max_rate)
        with _journalled("migrate", dry_run=dry_run, delete_source=delete_source, **facts) as numbers:
            transfer_keys(
                open_target(stack, url, extra),
                endpoint_from_url(source),
                TransferOptions(
                    number=source_db,
                    on_conflict=choice,
                    delete_source=delete_source,
                    dry_run=dry_run,
                    assume_yes=yes,
                    as_json=json,
                ),
                numbers,
            )
        return
    refuse_without_source(source_db=source_db, delete_source=delete_source)
    options = Options(
        plan_file=plan_file,
        on_conflict=on_conflict,
        max_rate=max_rate or None,
        watch=watch,
        dry_run=dry_run,
        assume_yes=yes,
        as_json=json,
    )
    if rollback:
        with _journalled("migrate.rollback", dry_run=dry_run, url=url) as numbers:
            # Without an id Invoke gives True.
            run_id = rollback if isinstance(rollback, str) and rollback != "last" else ""
            take_back(open_session(stack, url, extra), options, run_id, numbers)
        return
    with _journalled("migrate", dry_run=dry_run, watch=watch, no_backup=no_backup, **facts) as numbers:
        session = open_session(stack, url, extra)
        archives = None if no_backup else partial(safety_archives, stack, session, of_stack=not url)
        migrate_keys(session, options, archives, numbers)


@contextmanager
def _journalled(verb: str, *, dry_run: bool, **facts: object) -> Iterator[dict[str, object]]:
    """Have it in the operator's journal, with the numbers that are put in here; not a dry run."""
    if dry_run:
        yield {}
        return
    from autobot_ops.journal import operation

    told = {name: value for name, value in facts.items() if value not in {"", "fail"}}
    with operation(current_journal(), verb, **told) as journalled:
        yield journalled.numbers


@task(name="list", help={"json": JSON_HELP})
@verb
def migrate_list(context: Context, json: bool = False) -> None:
    """List the migrations of this project: when, from where, how many keys, how they ended."""
    from autobot_ops import frontend
    from autobot_ops.migration.listing import COLUMNS, list_runs
    from autobot_ops.migration.run_folder import lock_holder

    state_dir = current_stack().settings.project_state_dir
    rows, holder = list_runs(state_dir), lock_holder(state_dir)
    if json:
        frontend.emit_json({"migrations": [row.document for row in rows], "under_way": holder or None})
        return
    if rows:
        frontend.table("", COLUMNS, [row.cells for row in rows])
    else:
        frontend.result("nothing was migrated yet")
    if holder:
        frontend.say(f"a migration is under way: {holder}")


migrate = Collection("migrate")
for migrate_task in (migrate_run, migrate_list):
    migrate.add_task(migrate_task)
