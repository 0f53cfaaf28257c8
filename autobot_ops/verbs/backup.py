"""Backups by tier: take them, look at them, check them, give up what is too old."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from invoke import Collection, Context

from autobot_ops.command import current_journal, current_stack, task, verb

if TYPE_CHECKING:
    from autobot_ops.backup.manifest import Manifest

JSON_HELP = "print one JSON document"


@task(
    name="take",
    default=True,
    iterable=["tier", "database"],
    help={
        "tier": "critical, important or optional; may be repeated",
        "database": "one database; may be repeated",
        "all": "every tier",
        "due": "the tiers whose time has come",
        "dry_run": "show what would be taken, take nothing",
        "yes": "for schedules; a backup asks nothing",
        "json": JSON_HELP,
    },
)
@verb
def backup_take(
    context: Context,
    tier: list[str],
    database: list[str],
    all: bool = False,
    due: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Take backups: an archive per tier, all of one point in time."""
    import time

    from autobot_ops import frontend
    from autobot_ops.backup.plan import backed_up_tiers, plan_backup
    from autobot_ops.backup.schedule import due_tiers
    from autobot_ops.journal import operation
    from autobot_ops.stack.backup import Watchers, copy_to_bucket, run_backup
    from autobot_ops.stack.retention import stack_schedule

    began = time.monotonic()
    stack = current_stack()
    tiers: list[str] = [*tier, *(backed_up_tiers(stack.catalogs) if all else ())]
    if due:
        tiers += due_tiers(stack_schedule(stack))
        if not tiers and not database:
            if json:
                frontend.emit_json({"archives": []})
            else:
                frontend.result("nothing is due")
            return
    encrypt_all = stack.settings.backup_encryption == "all"
    plan = plan_backup(stack.catalogs, tiers=tiers, databases=database, encrypt_all=encrypt_all)
    if dry_run or context.config.run.dry:
        if json:
            frontend.emit_json({"archives": [asdict(each) for each in plan]})
        else:
            frontend.result("\n".join(map(str, plan)))
        return
    facts = {"tiers": tiers or None, "databases": database or None}
    with operation(current_journal(), "backup", **facts) as journalled:
        with frontend.work("reading the stream", unit="bytes") as work:
            watchers = Watchers(
                lambda size, keys: work.set(size, f"{keys:,} keys"), frontend.say, frontend.warn
            )
            manifests = run_backup(stack, plan, watchers)
        archives = [_summary(manifest) for manifest in manifests]
        journalled.numbers["archives"] = [each["id"] for each in archives]
        journalled.numbers["keys"] = sum(each["keys"] for each in archives)
        journalled.numbers["bytes"] = sum(each["stored_bytes"] for each in archives)
        if not json:
            for each in archives:
                frontend.result(
                    "{id}: {databases} databases, {keys:,} keys, {stored_bytes:,} bytes".format(**each)
                )
        copied = copy_to_bucket(stack, frontend.say)
    seconds = round(time.monotonic() - began, 1)
    if json:
        frontend.emit_json({"seconds": seconds, "archives": archives, "copied": copied})
        return
    frontend.say(f"took and verified in {seconds} s")


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "tier": manifest.tier,
        "databases": len(manifest.databases),
        "keys": sum(part.keys for part in manifest.databases),
        "stored_bytes": manifest.stored_bytes,
    }


backup = Collection("backup")
backup.add_task(backup_take)
