"""What was done to this stack, by whom, and how it ended."""

from __future__ import annotations

from invoke import Context

from autobot_ops.command import ROOT, task, verb


@task(
    help={
        "limit": "how many operations, the newest first",
        "verb": "only this verb, or a group of them: backup, secrets.rotate",
        "json": "print one JSON document",
    }
)
@verb
def history(context: Context, limit: int = 20, verb: str = "", json: bool = False) -> None:
    """Show the operations of this stack's journal: when, who, how it ended."""
    import os
    from dataclasses import asdict

    from autobot_ops import frontend
    from autobot_ops.adapters.process_identity import is_running
    from autobot_ops.history import COLUMNS, read_history
    from autobot_ops.journal import JOURNAL_FILE
    from autobot_ops.settings import load_settings

    settings = load_settings(ROOT, os.environ)
    path = settings.project_state_dir / JOURNAL_FILE
    found = read_history(path, is_running=is_running, limit=limit, verb=verb or None)
    if found.unreadable_lines:
        frontend.warn(f"{found.unreadable_lines} lines of {path} can't be read; they are passed over")
    if json:
        frontend.emit_json({"operations": [asdict(each) for each in found.operations]})
    elif found.operations:
        frontend.table("", COLUMNS, [each.cells for each in found.operations])
    else:
        frontend.say("nothing is in the journal")
