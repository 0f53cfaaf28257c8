"""`inv migrate --source` step by step: observe, plan, show, confirm, load, hand over, verify, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from autobot_ops import frontend
from autobot_ops.errors import ConfigurationError
from autobot_ops.migration.comparing import MOST_NAMED
from autobot_ops.migration.conflicts import REPLACING, Choice
from autobot_ops.migration.errors import RESUME, KeysCollide, ServerLost
from autobot_ops.migration.looking import Found
from autobot_ops.migration.plan import shown
from autobot_ops.migration.run_folder import (
    PARTLY,
    REPORT,
    TRANSFERS,
    RunFolder,
    all_runs,
    needing_room,
    new_run,
    only_one,
)
from autobot_ops.migration.server import Observed
from autobot_ops.migration.stopping import stop_request
from autobot_ops.rdb.errors import StreamUnavailable
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.errors import LoadRefused
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.transfer import report
from autobot_ops.transfer.applying import Brought, Work, compare_staging, hand_over, load_into_staging
from autobot_ops.transfer.deleting import delete_from_source
from autobot_ops.transfer.errors import (
    AGAIN,
    UNTOUCHED,
    CannotBeWritten,
    NoSuchNumber,
    NotAllBrought,
    SourceLost,
    StagedDiffers,
    UnknownSource,
)
from autobot_ops.transfer.fetching import fetch
from autobot_ops.transfer.survey import Content, Fate, KeySet, decide, look, named, survey
from autobot_ops.transfer.target import Target, identity_of, marker, refuse_same_server
from autobot_ops.transfer.verifying import verify

REFUSED = "refused"


@dataclass(frozen=True)
class TransferOptions:
    """What was asked for on the command line. `number` is the source's database."""

    number: int = 0
    on_conflict: Choice = "fail"
    delete_source: bool = False
    dry_run: bool = False
    assume_yes: bool = False
    as_json: bool = False


@dataclass
class Timer:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


class NotWithSource(ConfigurationError):
    """An option that a migration inside one server has, and this one doesn't."""


class OnlyWithSource(ConfigurationError):
    """An option that says what to do with another server, without that server."""


def refuse_with_source(**options: object) -> None:
    """NotWithSource for the first of these options that was given."""
    for name, value in options.items():
        if value:
            raise NotWithSource(
                f"--{name.replace('_', '-')} doesn't go with --source",
                hint="docs/operations/migration.md says what does.",
            )


def refuse_without_source(**options: object) -> None:
    """OnlyWithSource for the first of these options that was given."""
    for name, value in options.items():
        if value:
            raise OnlyWithSource(
                f"--{name.replace('_', '-')} needs --source",
                hint="Nothing was done. Name the other server: --source redis://HOST:PORT",
            )


def transfer_keys(
    target: Target, source: Endpoint, options: TransferOptions, numbers: dict[str, object] | None = None
) -> None:
    """Bring a database of the source into the databases of the target, or the rest of it.

    `numbers` gets the id, the planned and the brought keys. Raises NotAllBrought where keys were left out or
    differ.
    """
    told = {} if numbers is None else numbers
    session = target.session
    with only_one(session.state_dir), restoring_alone(session.state_dir), ExitStack() as stack:
        observed = session.observe()
        _check_source(source, observed, options)
        run, staging = _run(target, observed)
        stack.callback(run.close)
        stack.callback(lambda: None if run.begun else run.discard())
        if staging is None and not options.dry_run:
            staging = target.free_number(observed)
        stack.enter_context(needing_room(run.path, f"Make room there. {AGAIN}"))
        timer = Timer()
        with timer.phase("reading the source"), frontend.work("reading the source", unit="bytes") as bar:
            copy = fetch(
                source, options.number, run.path,
                progress=lambda size, keys: bar.set(size, f"{keys:,} keys"), say=frontend.say,
            )  # fmt: skip
        stack.callback(copy.close)
        with timer.phase("planning"):
            content = survey(copy, session.routes, target.clock()(), run.path)
            stack.callback(content.digests.close)
            looked_at = [*content.parts, *([] if staging is None else [staging])]
            with closing(look(session.streams, looked_at, content.version, run.path)) as found:
                fates = decide(content, found, staging, marker(run.id))
        names = {each.database_number: each.database_name for each in session.routes.sections}
        plan = report.plan_document(content, fates, names, by_stream=copy.by_stream)
        _show_plan(plan, options)
        if options.dry_run or staging is None:
            return
        conflicts = fates.sets[Fate.CONFLICT]
        if options.on_conflict == "fail" and len(conflicts):
            examples = [shown(key) for key, _ in islice(named(copy, conflicts), 3)]
            raise KeysCollide(
                f"{len(conflicts):,} keys of the source exist in their target with another value, "
                f"such as {', '.join(examples)}",
                hint=f"{UNTOUCHED} Choose with --on-conflict skip, replace or keep-newer.",
            )
        frontend.confirm(_question(content, options), assume_yes=options.assume_yes)
        aside = target.free_number(observed, {staging}) if options.on_conflict in REPLACING else None
        run.write(
            "began", server=str(session.commands), replication_ids=observed.identity.replication_ids,
            keys=content.keys, archive="", staging=staging, source=f"{source}/{options.number}", sync=True,
        )  # fmt: skip
        target.claim(staging, run.id)
        stop = stack.enter_context(
            stop_request(lambda: frontend.say("finishing what is under way; once more ends at once"))
        )
        work = Work(target, session.routes, copy, content, fates, staging, run, options.on_conflict, stop)
        told |= {"migration": run.id, "keys": content.keys}
        document = _carry_out(work, source, options, plan, aside, timer)
        told |= {"moved": document["moved"], "result": document["result"]}
        _show_report(document, options)
        if document["result"] == PARTLY:
            raise NotAllBrought(
                f"{len(document['left']):,} keys were left out, {document['differing']:,} differ from the "
                "source's",
                hint=f"The report names them: {run.path / REPORT}",
            )


def _check_source(source: Endpoint, observed: Observed, options: TransferOptions) -> None:
    """SameServer, UnknownSource, SourceLost, and what a refused login raises."""
    try:
        identity = identity_of(source, options.number)
    except StreamUnavailable as error:
        if "index is out of range" not in error.message:
            raise
        raise NoSuchNumber(
            f"{source} has no database {options.number}", hint="Nothing was done. Give another --source-db."
        ) from error
    except ServerLost as error:
        raise SourceLost(error.message, hint=f"{UNTOUCHED} {error.hint.replace(RESUME, AGAIN)}") from error
    refuse_same_server(identity, observed)
    if options.delete_source and not identity:
        raise UnknownSource(
            f"{source} refuses INFO, so it may be the target itself",
            hint="Give its user +info, or leave out --delete-source.",
        )


def _run(target: Target, observed: Observed) -> tuple[RunFolder, int | None]:
    """The run that was interrupted on this target, with its staging database; or a new one without."""
    for run in reversed(all_runs(target.session.state_dir, TRANSFERS)):
        state = run.state()
        same = state.server == str(target.session.commands) or set(state.replication_ids) & set(
            observed.identity.replication_ids
        )
        if state.open and same and state.staging is not None and target.claimed(state.staging, run.id):
            frontend.say(f"going on with {run.id}: what it loaded is in database {state.staging}")
            return run, state.staging
    return new_run(target.session.state_dir, datetime.now(UTC), TRANSFERS), None


def _question(content: Content, options: TransferOptions) -> str:
    then = " and then delete from the source what was verified" if options.delete_source else ""
    return f"bring {content.keys:,} keys{then}?"


def _show_plan(plan: dict[str, Any], options: TransferOptions) -> None:
    if options.as_json:
        if options.dry_run:
            frontend.emit_json(plan)
        return
    frontend.table("plan", report.PLAN_COLUMNS, report.plan_rows(plan))
    for line in report.plan_lines(plan):
        frontend.result(line)


def _carry_out(
    work: Work,
    source: Endpoint,
    options: TransferOptions,
    plan: dict[str, Any],
    aside: int | None,
    timer: Timer,
) -> dict[str, Any]:
    """All that writes; the report, which is kept by then."""
    target, staging, brought = work.target, work.staging, Brought()
    try:
        abilities = target.abilities(work.content.version, staging)
        whole = abilities.restore
        if not whole:
            frontend.say(
                f"the target doesn't take values of the source's version (RDB {work.content.version}); "
                "everything goes in pieces"
            )
            _refuse_unwritable(work.content, field_expiry=abilities.field_expiry)
        total = work.content.keys - work.fates.count(Fate.DONE) - work.fates.count(Fate.STAGED)
        with timer.phase("loading"), frontend.work("loading", unit="keys", total=total) as bar:
            load_into_staging(work, brought, whole=whole, progress=bar.set)
        with timer.phase("comparing"):
            compare_staging(work, brought)
    except (CannotBeWritten, StagedDiffers, LoadRefused):
        target.clear(staging)
        work.run.write("ended", outcome=REFUSED, sync=True)
        raise
    with timer.phase("handing over"), frontend.work("handing over", unit="keys") as bar:
        hand_over(work, brought, aside=aside, progress=bar.set)
    target.clear(staging)
    with timer.phase("verifying"):
        verified = verify(work, brought)
    left = dict(brought.left)
    if options.on_conflict == "skip":
        conflicts = work.fates.sets[Fate.CONFLICT]
        left |= {key: Found.BOTH.value for key, _ in islice(named(work.copy, conflicts), MOST_NAMED)}
    deleted = None
    if options.delete_source:
        with timer.phase("deleting"), frontend.work("deleting from the source", unit="keys") as bar:
            keys_left = KeySet(map(hash, brought.left))
            deleted = delete_from_source(work, verified, keys_left, source, options.number, progress=bar.set)
    document = report.report_document(
        plan, brought, verified,
        run_id=work.run.id, source=f"{source}/{options.number}", target=str(target.session.commands),
        left=left, whole=whole, aside=aside, deleted=deleted, seconds=timer.seconds,
    )  # fmt: skip
    work.run.write("ended", outcome=document["result"], sync=True)
    work.run.keep_report(document)
    return document


def _refuse_unwritable(content: Content, *, field_expiry: bool) -> None:
    names = content.unwritable + ([] if field_expiry else content.field_expiry)
    if names:
        raise CannotBeWritten(
            f"the target understands these neither whole nor in pieces: {', '.join(names)}",
            hint=f"{UNTOUCHED} Remove them from the source, or give the target the source's version.",
        )


def _show_report(document: dict[str, Any], options: TransferOptions) -> None:
    if options.as_json:
        frontend.emit_json(document)
        return
    frontend.table(f"brought by {document['id']}", report.REPORT_COLUMNS, report.report_rows(document))
    for line in report.report_lines(document):
        frontend.result(line)
