"""`inv migrate` step by step: observe, plan, show, confirm, move, verify, report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from autobot_ops import frontend
from autobot_ops.backup.stream_copy import copy_stream
from autobot_ops.errors import ConfigurationError
from autobot_ops.migration.conflicts import CHOICES, Choice
from autobot_ops.migration.errors import AlreadyRunning, InvalidPlanFile, NotAllMoved
from autobot_ops.migration.pace import Pace
from autobot_ops.migration.plan import MigrationPlan
from autobot_ops.migration.plan_file import PlanFile
from autobot_ops.migration.report import (
    PLAN_COLUMNS,
    REPORT_COLUMNS,
    plan_remarks,
    plan_rows,
    report_document,
    report_lines,
    report_rows,
    what_is_left,
)
from autobot_ops.migration.run_folder import PARTLY, REPORT, RunFolder, needing_room, only_one
from autobot_ops.migration.running import Run, Telling
from autobot_ops.migration.server import Observed
from autobot_ops.migration.session import Session, TakeArchives, refuse_collisions
from autobot_ops.migration.stopping import stop_request
from autobot_ops.migration.watching import Watch

Numbers = dict[str, object]
"""What the operator's journal says of a run when it ends."""


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


def migrate_keys(
    session: Session, options: Options, archives: MakeArchives | None, numbers: Numbers | None = None
) -> None:
    """A whole migration, or the rest of one that was interrupted. Raises NotAllMoved where keys stayed.

    `numbers` gets the id, the planned and the moved keys.
    """
    told = {} if numbers is None else numbers
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
            if options.plan_file:
                _save_plan(run, Path(options.plan_file))
            return
        told |= {"migration": run.id, "keys": facts.keys}
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
        document = _carry_out(session, options, choice, run, observed, facts.keys)
        told |= {"moved": document["moved"] + document["swept"], "result": document["result"]}
        show_report(document, options.as_json)
        if document["result"] == PARTLY:
            raise NotAllMoved(what_is_left(document), hint=f"The report names them: {run.path / REPORT}")


def _begin(
    session: Session, options: Options, archives: MakeArchives | None, observed: Observed
) -> tuple[RunFolder, str, bool]:
    """The run to carry out: (its folder, the safety archives' ids, whether it was begun before)."""
    unfinished = session.unfinished(observed)
    if unfinished is not None:
        if options.plan_file and (options.dry_run or not _is_plan_of(unfinished, Path(options.plan_file))):
            raise AlreadyRunning(
                f"the migration {unfinished.id} is unfinished, so no plan can be saved or applied now",
                hint=f"End it first: inv migrate, or take it back: inv migrate --rollback {unfinished.id}",
            )
        word = "inv migrate would go on" if options.dry_run else "going on"
        frontend.say(f"{word} with the migration {unfinished.id}")
        return unfinished, "", True
    moment = datetime.now(UTC)
    with frontend.work("reading the stream", unit="bytes") as work:

        def tell(size: int, keys: int) -> None:
            work.set(size, f"{keys:,} keys")

        taker = None
        if archives is not None and not options.dry_run:
            taker = archives(progress=tell, say=frontend.say, warn=frontend.warn)
        if options.plan_file and not options.dry_run:
            return *_apply_saved(session, Path(options.plan_file), moment, taker, observed), False
        run, archive_id = session.make_plan(
            observed,
            moment,
            archives=taker,
            may_scan=archives is None or options.dry_run,
            progress=tell,
            say=frontend.say,
        )
    return run, archive_id, False


def _apply_saved(
    session: Session, path: Path, moment: datetime, taker: TakeArchives | None, observed: Observed
) -> tuple[RunFolder, str]:
    """A run with the plan of a file, if it fits; its safety archives are of now, not of when it was made."""
    run = session.adopt_plan(path, moment)
    plan = PlanFile(run.plan)
    try:
        facts = MigrationPlan.model_validate(plan.facts)
        session.check_routes(facts)
        session.check_fit(plan, facts, observed)
        return run, "" if taker is None else taker(copy_stream)
    except BaseException:
        run.discard()
        raise
    finally:
        plan.close()


def _is_plan_of(run: RunFolder, path: Path) -> bool:
    """Whether a saved plan is the one that a run was begun with; then the same command goes on."""
    ids: set[str] = set()
    for each in (run.plan, path):
        plan = PlanFile(each)
        ids.add(plan.facts["id"])
        plan.close()
    return len(ids) == 1


def _save_plan(run: RunFolder, path: Path) -> None:
    try:
        shutil.copyfile(run.plan, path)
    except OSError as error:
        raise InvalidPlanFile(
            f"can't save the plan as {path}: {error.strerror}",
            hint="Nothing was moved. Give --plan-file a file that can be written.",
        ) from error
    frontend.say(f"saved the plan: {path}")


def _show_plan(facts: MigrationPlan, options: Options) -> None:
    if options.as_json:
        if options.dry_run:
            frontend.emit_json(facts.model_dump(mode="json"))
        return
    frontend.table(f"plan {facts.id}", PLAN_COLUMNS, plan_rows(facts))
    for line in plan_remarks(facts, options.max_rate):
        frontend.result(line)


def _carry_out(
    session: Session, options: Options, choice: Choice, run: RunFolder, observed: Observed, keys: int
) -> dict[str, Any]:
    """Move, watch, verify; the report, which is kept by then.

    The first Ctrl-C lets what moves keys end well. Verification only reads, so there it interrupts at once.
    """
    with ExitStack() as stack:
        stack.callback(run.close)
        resolver = session.resolver(choice, run, observed)
        stack.callback(resolver.close)
        with stop_request(
            lambda: frontend.say("finishing what is under way; once more ends at once")
        ) as asked:
            watch = Watch(asked, frontend.say)
            with frontend.work("moving", unit="keys", total=keys) as work:
                furthest = 0

                def tell(done: int, pace: Pace) -> None:
                    nonlocal furthest
                    furthest = max(furthest, done)  # a sweep counts from 0 again
                    work.set(furthest, f"others wait {pace.latest * 1000:.1f} ms")

                going = Run(
                    run,
                    session.routes,
                    session.commands,
                    Pace(options.max_rate),
                    resolver=resolver,
                    stop=watch.stops_moving,
                    telling=Telling(moving=tell, say=frontend.say),
                )
                stack.callback(going.close)
                going.move()
            if options.watch:
                watch.sweep_until_asked(going.sweep, session.writers)
        if going.facts.origin == "stream":
            with needing_room(
                run.path, "All keys have moved; the same command verifies them when there is room."
            ):
                going.verify(session.streams)
        return _report(session, going, watch, observed)


def _report(session: Session, going: Run, watch: Watch, before: Observed) -> dict[str, Any]:
    """Journal how it ended, and keep the report."""
    outcome = going.outcome
    changes = session.observe().changes_since(before)
    if changes is not None:
        changes = max(0, changes - outcome.moved - outcome.swept)
    document = report_document(
        going.folder.id,
        going.facts,
        going.folder.state(),
        outcome,
        going.pace,
        changes_by_others=changes,
        swept=going.folder.swept(),
        legacy_clients=watch.document,
    )
    going.folder.write("ended", outcome=document["result"], sync=True)
    going.folder.keep_report(document)
    return document


def show_report(document: dict[str, Any], as_json: bool) -> None:
    """The report, as a table or as JSON."""
    if as_json:
        frontend.emit_json(document)
        return
    frontend.table(f"migration {document['id']}", REPORT_COLUMNS, report_rows(document))
    for line in report_lines(document):
        frontend.result(line)
