"""Backups by tier: take them, look at them, check them, give up what is too old."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Collection, Context, task

from autobot_ops.command import current_stack, verb

JSON_HELP = "print one JSON document"


@task(
    name="take",
    default=True,
    iterable=["tier", "database"],
    help={
        "tier": "critical, important or optional; may be repeated",
        "database": "one database; may be repeated",
        "all": "every tier",
        "dry_run": "show what would be taken, take nothing",
        "json": JSON_HELP,
    },
)
@verb
def backup_take(
    context: Context,
    tier: list[str],
    database: list[str],
    all: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Take backups: an archive per tier, all of one point in time."""
    import time

    from autobot_ops import frontend
    from autobot_ops.backup.plan import backed_up_tiers, plan_backup
    from autobot_ops.stack.backup import run_backup

    began = time.monotonic()
    stack = current_stack()
    plan = plan_backup(
        stack.catalogs,
        tiers=backed_up_tiers(stack.catalogs) if all else tier,
        databases=database,
        encrypt_all=stack.settings.backup_encryption == "all",
    )
    if dry_run or context.config.run.dry:
        if json:
            frontend.emit_json({"archives": [asdict(each) for each in plan]})
        else:
            frontend.result("\n".join(map(str, plan)))
        return
    with frontend.work("reading the stream", unit="bytes") as work:
        manifests = run_backup(
            stack,
            plan,
            progress=lambda size, keys: work.set(size, f"{keys:,} keys"),
            say=frontend.say,
            warn=frontend.warn,
        )
    seconds = round(time.monotonic() - began, 1)
    if json:
        frontend.emit_json(
            {"seconds": seconds, "archives": [each.model_dump(mode="json") for each in manifests]}
        )
        return
    for manifest in manifests:
        keys = sum(part.keys for part in manifest.databases)
        frontend.result(
            f"{manifest.id}: {len(manifest.databases)} databases, {keys:,} keys, "
            f"{manifest.stored_bytes:,} bytes"
        )
    frontend.say(f"took {seconds} s")


backup = Collection("backup")
for backup_task in (backup_take,):
    backup.add_task(backup_task)
