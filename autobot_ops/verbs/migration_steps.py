"""`inv migrate` step by step: observe, plan, show, confirm, move, verify, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from autobot_ops import frontend
from autobot_ops.errors import ConfigurationError
from autobot_ops.migration.conflicts import CHOICES, Choice
from autobot_ops.migration.errors import AlreadyRolledBack, NotAllMoved, PlanDoesNotFit
from autobot_ops.migration.pace import Pace
from autobot_ops.migration.plan import MigrationPlan, shown
from autobot_ops.migration.plan_file import PlanFile
from autobot_ops.migration.report import (
    PLAN_COLUMNS,
    REPORT_COLUMNS,
    SHOWN_KEYS,
    plan_remarks,
    plan_rows,
    report_document,
    report_lines,
    report_rows,
    rollback_document,
    rollback_lines,
)
from autobot_ops.migration.rolling_back import IN_THE_WAY, changed_since, take_back_keys
from autobot_ops.migration.run_folder import (
    PARTLY,
    REPORT,
    ROLLBACK_REPORT,
    ROLLED_BACK,
    ROLLING_BACK,
    RunFolder,
    find_run,
    only_one,
)
from autobot_ops.migration.running import Run, Telling
from autobot_ops.migration.server import Observed
from autobot_ops.migration.session import Session, TakeArchives, refuse_collisions
from autobot_ops.migration.stopping import stop_request

WATCH_SECONDS = 1.0


class UnknownChoice(ConfigurationError):
    """A word that --on-conflict doesn't know."""


class MakeArchives(Protocol):
    """Says how safety archives are taken; see stack.migrate.safety_archives."""

    def __call__(
        self,
        *,
        progress: Callable[[int, int], object],
        say: Callable[[str], object],
        warn: Callable[[str], object],
    ) -> TakeArchives:
        """The taker."""
        ...


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    plan_file: str = ""
    on_conflict: str = "fail"
    max_rate: float | None = None
    watch: bool = False
    dry_run: bool = False
    assume_yes: bool = False
    as_json: bool = False


def known_choice(text: str) -> Choice:
    """What --on-conflict says. Raises UnknownChoice."""
    choice: Choice | None = next((each for each in CHOICES if each == text), None)
    if choice is None:
        raise UnknownChoice(f"unknown choice '{text}'", hint=f"Use one of {', '.join(CHOICES)}.")
    return choice


def migrate_keys(session: Session, options: Options, archives: MakeArchives | None) -> None:
    """A whole migration, or the rest of one that was interrupted. Raises NotAllMoved where keys stayed."""
    choice = known_choice(options.on_conflict)
    with only_one(session.state_dir), ExitStack() as stack:
        session.clear_garbage()
        observed = session.observe()
        run, archive_id, going_on = _begin(session, options, archives, observed)
        if options.dry_run and not going_on:
            stack.callback(run.discard)
        plan = PlanFile(run.plan)
        stack.callback(plan.close)
        facts = MigrationPlan.model_validate(plan.facts)
        _show_plan(facts, options)
        if options.dry_run:
            if options.plan_file and not going_on:
                Path(options.plan_file).write_bytes(run.plan.read_bytes())
                frontend.say(f"saved the plan: {options.plan_file}")
            return
        if not going_on:
            stack.callback(lambda: None if run.begun else run.discard())
            if options.on_conflict == "fail":
                refuse_collisions(facts)
            if facts.keys:
                frontend.confirm(f"move {facts.keys:,} keys?", assume_yes=options.assume_yes)
            run.write(
                "began",
                server=str(session.commands),
                replication_ids=observed.identity.replication_ids,
                keys=facts.keys,
                archive=archive_id,
                sync=True,
            )
        else:
            session.check_fit(plan, facts, observed)
        _carry_out(session, options, choice, run, observed, facts.keys)


def _begin(
    session: Session, options: Options, archives: MakeArchives | None, observed: Observed
) -> tuple[RunFolder, str, bool]:
    """The run to carry out: (its folder, the safety archives' ids, whether it was begun before)."""
    unfinished = session.unfinished(observed)
    if unfinished is not None:
        frontend.say(f"going on with the migration {unfinished.id}")
        return unfinished, "", True
    moment = datetime.now(UTC)
    if options.plan_file and not options.dry_run:
        run = session.adopt_plan(Path(options.plan_file), moment)
        plan = PlanFile(run.plan)
        try:
            session.check_fit(plan, MigrationPlan.model_validate(plan.facts), observed)
        except BaseException:
            run.discard()
            raise
        finally:
            plan.close()
        return run, "", False
    with frontend.work("reading the stream", unit="bytes") as work:

        def tell(size: int, keys: int) -> None:
            work.set(size, f"{keys:,} keys")

        taker = None
        if archives is not None and not options.dry_run:
            taker = archives(progress=tell, say=frontend.say, warn=frontend.warn)
        run, archive_id = session.make_plan(
            observed,
            moment,
            archives=taker,
            may_scan=archives is None or options.dry_run,
            progress=tell,
            say=frontend.say,
        )
    return run, archive_id, False


def _show_plan(facts: MigrationPlan, options: Options) -> None:
    if options.as_json:
        if options.dry_run:
            frontend.emit_json(facts.model_dump(mode="json"))
        return
    frontend.table(f"plan {facts.id}", PLAN_COLUMNS, plan_rows(facts))
    for line in plan_remarks(facts):
        frontend.result(line)


def _carry_out(
    session: Session, options: Options, choice: Choice, run: RunFolder, observed: Observed, keys: int
) -> None:
    pace = Pace(options.max_rate)
    with ExitStack() as stack:
        stack.callback(run.close)
        work = stack.enter_context(frontend.work("moving", unit="keys", total=keys))
        stop = stack.enter_context(
            stop_request(lambda: frontend.say("finishing the windows under way; once more ends at once"))
        )

        def tell(done: int, pace: Pace) -> None:
            work.set(done, f"others wait {pace.latest * 1000:.1f} ms")

        resolver = session.resolver(choice, run, observed)
        stack.callback(resolver.close)
        going = Run(
            run,
            session.routes,
            session.commands,
            pace,
            resolver=resolver,
            stop=stop,
            telling=Telling(moving=tell, say=frontend.say),
        )
        stack.callback(going.close)
        going.move()
        if options.watch:
            _watch(going, session, stop)
        if going.facts.origin == "stream":
            going.verify(session.streams)
        _finish(session, going, options, observed)


def _watch(going: Run, session: Session, stop: Callable[[], bool]) -> None:
    """Sweep again and again until Ctrl-C, and say which clients write legacy keys."""
    told: set[str] = set()
    frontend.say("watching database 0; Ctrl-C ends it")
    while not stop():
        began = time.monotonic()
        result = going.sweep()
        if result.moved:
            frontend.say(f"moved {result.moved:,} keys that were written meanwhile")
            for writer in session.writers():
                if writer not in told:
                    told.add(writer)
                    frontend.say(f"works in database 0: {writer}")
        while not stop() and time.monotonic() - began < WATCH_SECONDS:
            time.sleep(0.05)


def _finish(session: Session, going: Run, options: Options, before: Observed) -> None:
    """Journal how it ended, keep the report and show it."""
    outcome = going.outcome
    changes = session.observe().changes_since(before)
    if changes is not None:
        changes = max(0, changes - outcome.moved - outcome.swept)
    document = report_document(
        going.folder.id, going.facts, going.folder.state(), outcome, going.pace, changes_by_others=changes
    )
    going.folder.write("ended", outcome=document["result"], sync=True)
    going.folder.keep_report(document)
    show_report(document, options.as_json)
    if document["result"] == PARTLY:
        raise NotAllMoved(
            f"{len(document['in_the_way']):,} keys were left, "
            f"{len(document['differences']):,} differ from the plan",
            hint=f"The report names them: {going.folder.path / REPORT}",
        )


def show_report(document: dict[str, Any], as_json: bool) -> None:
    """The report, as a table or as JSON."""
    if as_json:
        frontend.emit_json(document)
        return
    frontend.table(f"migration {document['id']}", REPORT_COLUMNS, report_rows(document))
    for line in report_lines(document):
        frontend.result(line)


def take_back(session: Session, options: Options, run_id: str) -> None:
    """Take a run back. Raises UnknownRun, AlreadyRolledBack, and NotAllMoved where keys can't go back."""
    with only_one(session.state_dir), ExitStack() as stack:
        run = find_run(session.state_dir, run_id)
        state = run.state()
        stack.callback(run.close)
        if state.outcome == ROLLED_BACK:
            raise AlreadyRolledBack(
                f"the migration {run.id} was taken back already", hint="inv migrate.list shows all."
            )
        if state.server != str(session.commands):
            raise PlanDoesNotFit(
                f"the migration {run.id} moved keys on {state.server}, not on {session.commands}",
                hint="Name that server with --url.",
            )
        session.observe()
        changed = changed_since(session, run, state)
        for key, number, _ in changed[:SHOWN_KEYS]:
            frontend.say(
                f"changed since it was moved, goes back as it is now: {shown(key)} (database {number})"
            )
        if len(changed) > SHOWN_KEYS:
            frontend.say(f"changed since: {len(changed) - SHOWN_KEYS:,} more")
        frontend.confirm(f"take back the migration {run.id}?", assume_yes=options.assume_yes)
        run.write("ended", outcome=ROLLING_BACK, sync=True)
        work = stack.enter_context(frontend.work("moving back", unit="keys", total=state.planned))
        stop = stack.enter_context(stop_request(lambda: frontend.say("finishing the window under way")))
        result = take_back_keys(session.commands, run, stop=stop, progress=work.set)
        run.write("ended", outcome=ROLLED_BACK, sync=True)
        document = rollback_document(run.id, result, changed)
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
