"""Archives in time: which are kept, which go, and what takes new ones every night."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from invoke import Context

from autobot_ops.command import ROOT, current_journal, current_stack, task, verb

if TYPE_CHECKING:
    from pathlib import Path

    from autobot_ops.backup.retention import Decision


@task(
    help={
        "dry_run": "show what would be removed and why, remove nothing",
        "yes": "don't ask",
        "json": "print one JSON document",
    }
)
@verb
def prune(context: Context, dry_run: bool = False, yes: bool = False, json: bool = False) -> None:
    """Remove archives that are too old, never the newest verified one of anything; shows its plan first."""
    from autobot_ops import frontend
    from autobot_ops.backup.prune import PlaceNotPruned
    from autobot_ops.stack.retention import archive_places, plan_prune, run_prune

    stack = current_stack()
    places = archive_places(stack)
    plan = plan_prune(stack, places)
    dry = dry_run or context.config.run.dry
    if not json:
        rows = [
            (each.archive.place, each.archive.id, "remove" if each.remove else "keep", each.why)
            for each in plan.decisions
        ]
        if rows:
            frontend.table("", ("place", "archive", "", "why"), rows)
        else:
            frontend.say("there are no archives")
    for each in plan.decisions:
        if each.reported:
            frontend.warn(f"look at {each.archive.id} ({each.archive.place}): {each.why}")
    removed: dict[str, Any] = {}
    if plan.removals and not dry:
        count = len(plan.removals)
        frontend.confirm(f"remove {count} archive{'s' * (count > 1)} for good?", assume_yes=yes)
        removed = run_prune(stack, places, plan, journal=current_journal(), on_step=frontend.say)
    elif not plan.removals:
        frontend.say("nothing is to be removed")
    if json:
        frontend.emit_json(
            {
                "dry_run": dry,
                "archives": list(map(_as_json, plan.decisions)),
                "done": {place: asdict(done) for place, done in removed.items()},
                "unreachable": plan.unreachable,
            }
        )
    if plan.unreachable:
        raise PlaceNotPruned(plan.unreachable)


@task(
    help={
        "at": "time of day for the backup, as 03:00",
        "user": "whom the timers run as; otherwise whom the stack's files belong to",
        "cron": "lines for a crontab in place of systemd units",
        "into": "write the systemd units into this folder",
        "json": "print one JSON document",
    }
)
@verb
def schedule(
    context: Context,
    at: str = "03:00",
    user: str = "",
    cron: bool = False,
    into: str = "",
    json: bool = False,
) -> None:
    """Show what is due, and print timers that back up, prune and drill by themselves."""
    import os
    import sys
    from pathlib import Path

    from autobot_ops import frontend
    from autobot_ops.adapters.process_identity import owner_of
    from autobot_ops.backup.timer import Timetable, parse_time, render_cron, render_timer
    from autobot_ops.settings import overriding_variables
    from autobot_ops.stack.retention import stack_schedule

    stack = current_stack()
    timetable = Timetable(
        project=stack.settings.project,
        user=user or owner_of(stack.settings.project_state_dir),
        folder=ROOT,
        inv=Path(sys.executable).with_name("inv"),
        at=parse_time(at),
        environment=overriding_variables(os.environ),
    )
    tiers = stack_schedule(stack)
    for each in tiers:
        for warning in each.warnings:
            frontend.warn(warning)
    if stack.settings.backup_bucket and any(name.startswith("AWS_") for name in os.environ):
        frontend.warn(
            f"AWS variables aren't written into a schedule; put them into ~/.aws/ of {timetable.user}"
        )
    if json:
        rows = [
            {"tier": each.tier, "frequency": each.frequency, "due": each.due, "next_at": each.next_at}
            | {"last": each.last.id if each.last else None}
            for each in tiers
        ]
        units = {} if cron else render_timer(timetable)
        frontend.emit_json({"tiers": rows, "units": units, "cron": render_cron(timetable)})
        return
    for each in tiers:
        frontend.say(str(each))
    if cron:
        frontend.result(render_cron(timetable).rstrip())
        return
    folder = Path(into or "/etc/systemd/system")
    units = render_timer(timetable)
    timers = " ".join(name for name in units if name.endswith(".timer"))
    if into and not context.config.run.dry:
        _write_units(folder, units)
        frontend.say(f"now: systemctl daemon-reload && systemctl enable --now {timers}")
    else:
        frontend.result("\n".join(f"# {folder / name}\n{text}" for name, text in units.items()).rstrip())
        frontend.say("--into FOLDER writes these files")


def _write_units(folder: Path, units: dict[str, str]) -> None:
    from autobot_ops import frontend
    from autobot_ops.errors import ConfigurationError

    for name, text in units.items():
        try:
            (folder / name).write_text(text)
        except OSError as error:
            raise ConfigurationError(
                f"{folder / name} can't be written: {error.strerror}",
                hint="Name a folder that is there and that you may write, or run this as root.",
            ) from error
        frontend.result(f"wrote {folder / name}")


def _as_json(decision: Decision) -> dict[str, Any]:
    archive = decision.archive
    return {
        "id": archive.id,
        "place": archive.place,
        "tier": archive.tier,
        "taken_at": archive.taken_at,
        "remove": decision.remove,
        "reasons": [asdict(reason) for reason in decision.reasons],
    }


TASKS = (prune, schedule)
