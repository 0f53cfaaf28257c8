"""The logical databases: what they hold, whether the server keeps them apart, and new ones."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Collection, Context

from autobot_ops.command import ROOT, current_stack, recorded, task, verb

JSON_HELP = "print one JSON document"


@task(name="list", help={"json": JSON_HELP})
@verb
def database_list(context: Context, json: bool = False) -> None:
    """List the databases: keys, memory, connections, tier, security, alerts."""
    from autobot_ops import frontend
    from autobot_ops.adapters.redis_server import dialer
    from autobot_ops.isolation.listing import COLUMNS, list_databases
    from autobot_ops.isolation.observation import observe

    stack = current_stack()
    dial = dialer(stack, "operator")
    rows = list_databases(dial, observe(dial), stack.catalogs)
    if json:
        frontend.emit_json({"databases": [asdict(row) for row in rows]})
        return
    frontend.table("", COLUMNS, [row.cells for row in rows])


@task(
    name="check",
    help={"full": "look at every key, not at a sample", "json": JSON_HELP},
)
@verb
def database_check(context: Context, full: bool = False, json: bool = False) -> None:
    """Check on the live server that every database is what the catalogs say."""
    from autobot_ops import frontend
    from autobot_ops.isolation.separation import Severity
    from autobot_ops.stack.separation import SeparationBroken, check_separation

    report = check_separation(current_stack(), full=full)
    if json:
        frontend.emit_json(asdict(report))
    else:
        rows = [(each.severity, each.subject, each.message, each.fix) for each in report.findings]
        if rows:
            frontend.table("", ("severity", "where", "what", "what to do"), rows)
        frontend.result(report.summary)
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    if errors:
        raise SeparationBroken(errors)


@task(
    iterable=["pattern", "grant"],
    help={
        "name": "name of the new database",
        "pattern": "a key pattern, may be repeated; NAME:* without any",
        "grant": "AGENT=read|write|read-write, may be repeated",
        "tier": "which backups take it",
        "level": "its security level",
        "access": "its access pattern",
        "description": "what is kept there",
        "dry_run": "show what would be written, change nothing",
        "json": JSON_HELP,
    },
)
@verb
@recorded("database.allocate", "name", "tier", "level")
def allocate(
    context: Context,
    name: str,
    pattern: list[str],
    grant: list[str],
    tier: str = "optional",
    level: str = "medium",
    access: str = "frequent",
    description: str = "",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Give a new database a free number, its row in the catalogs, and its rights on the server."""
    from autobot_ops import frontend
    from autobot_ops.catalog.allocation import parse_grants, plan_allocation
    from autobot_ops.stack.reload import apply_allocation, render_allocation

    stack = current_stack()
    allocation = plan_allocation(
        stack.catalogs,
        name,
        key_patterns=pattern,
        description=description,
        access_pattern=access,
        tier=tier,
        security_level=level,
        grants=parse_grants(grant),
    )
    texts = render_allocation(ROOT, allocation, stack.settings)
    if json:
        frontend.emit_json(asdict(allocation))
    else:
        frontend.result(f"{name}: number {allocation.number}, keys {', '.join(allocation.key_patterns)}")
        for path in texts:
            frontend.result(f"{'would change' if dry_run else 'changed'} {path}")
    if not (dry_run or context.config.run.dry):
        for line in apply_allocation(stack, texts):
            frontend.say(line)


@task(help={"dry_run": "show what would change on the server, change nothing", "json": JSON_HELP})
@verb
@recorded("database.reload")
def reload(context: Context, dry_run: bool = False, json: bool = False) -> None:
    """Load the catalogs into the running stack: rights on the server, rows in the agents."""
    from autobot_ops import frontend
    from autobot_ops.stack.reload import apply_reload, plan_reload

    stack = current_stack()
    plan = plan_reload(stack)
    dry = dry_run or context.config.run.dry
    lines = plan.lines(ROOT)
    if not dry:
        lines += apply_reload(stack, plan)
    if json:
        frontend.emit_json({"steps": lines})
        return
    frontend.result("\n".join(lines) or "nothing to do")


@task(help={"name": "a database's name"})
@verb
def cli(context: Context, name: str) -> None:
    """Open redis-cli in one database, as the operator."""
    from autobot_ops.stack.redis_cli import open_redis_cli

    stack = current_stack()
    open_redis_cli(stack, stack.catalogs.database(name).number)


database = Collection("database")
for database_task in (database_list, database_check, allocate, reload, cli):
    database.add_task(database_task)
