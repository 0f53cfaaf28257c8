"""`inv migrate --rollback` step by step: look, name what changed, confirm, move back, report."""

from __future__ import annotations

from contextlib import ExitStack

from autobot_ops import frontend
from autobot_ops.migration.errors import AlreadyRolledBack, NotAllMoved, PlanDoesNotFit
from autobot_ops.migration.plan import shown
from autobot_ops.migration.report import SHOWN_KEYS, rollback_document, rollback_lines, rollback_plan_document
from autobot_ops.migration.rolling_back import IN_THE_WAY, changed_since, keys_to_take_back, take_back_keys
from autobot_ops.migration.run_folder import (
    ROLLBACK_REPORT,
    ROLLED_BACK,
    ROLLING_BACK,
    RunFolder,
    RunState,
    find_run,
    needing_room,
    only_one,
)
from autobot_ops.migration.session import Session
from autobot_ops.migration.stopping import stop_request
from autobot_ops.verbs.migration_steps import Numbers, Options


def take_back(session: Session, options: Options, run_id: str, numbers: Numbers | None = None) -> None:
    """Take a run back, with `dry_run` only say what would go back.

    Raises UnknownRun, AlreadyRolledBack, and NotAllMoved where keys can't go back.
    """
    told = {} if numbers is None else numbers
    with only_one(session.state_dir), ExitStack() as stack:
        run = find_run(session.state_dir, run_id)
        state = run.state()
        stack.callback(run.close)
        _check(session, run, state)
        session.observe()
        with needing_room(run.path, "Nothing was moved back. Make room there, and try again."):
            changed = changed_since(session, run, state)
        for key, number, _ in changed[:SHOWN_KEYS]:
            frontend.say(
                f"changed since it was moved, goes back as it is now: {shown(key)} (database {number})"
            )
        if len(changed) > SHOWN_KEYS:
            frontend.say(f"changed since: {len(changed) - SHOWN_KEYS:,} more")
        keys = keys_to_take_back(state)
        if options.dry_run:
            if options.as_json:
                frontend.emit_json(rollback_plan_document(run.id, keys, changed))
            else:
                frontend.result(f"{run.id}: up to {keys:,} keys would go back into database 0")
            return
        frontend.confirm(f"take back the migration {run.id}?", assume_yes=options.assume_yes)
        told["migration"] = run.id
        run.write("ended", outcome=ROLLING_BACK, sync=True)
        work = stack.enter_context(frontend.work("moving back", unit="keys", total=keys))
        stop = stack.enter_context(stop_request(lambda: frontend.say("finishing the window under way")))
        result = take_back_keys(session.commands, run, stop=stop, progress=work.set)
        run.write("ended", outcome=ROLLED_BACK, sync=True)
        document = rollback_document(run.id, result, changed)
        told["back"] = document["back"]
        run.keep_report(document, ROLLBACK_REPORT)
    if options.as_json:
        frontend.emit_json(document)
    else:
        for line in rollback_lines(document):
            frontend.result(line)
    if result.counts[IN_THE_WAY]:
        raise NotAllMoved(
            f"{result.counts[IN_THE_WAY]:,} keys couldn't go back: database 0 has such keys again",
            hint=f"The report names them: {run.path / ROLLBACK_REPORT}",
        )


def _check(session: Session, run: RunFolder, state: RunState) -> None:
    if state.outcome == ROLLED_BACK:
        raise AlreadyRolledBack(
            f"the migration {run.id} was taken back already", hint="inv migrate.list shows all."
        )
    if state.server != str(session.commands):
        raise PlanDoesNotFit(
            f"the migration {run.id} moved keys on {state.server}, not on {session.commands}",
            hint="Name that server with --url.",
        )
