"""The order of a restore's steps, and what follows on it: observe, plan, load, compare, exchange.

Until the exchange the live database isn't written to. The ledger's record is there before the first key
is loaded, and says `open` from the same transaction on in which the databases are exchanged: a crash leaves
either, and `recover` clears away what was never exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autobot_ops.catalog.routing import compile_pattern
from autobot_ops.errors import OpsError
from autobot_ops.restore import matching
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.errors import ContentDiffers, NoOpenRestore, ServerLost
from autobot_ops.restore.ledger import Elsewhere, Ledger, Record, State
from autobot_ops.restore.loading import Loaded, Wanted, load, load_whole
from autobot_ops.restore.pace import MOST_BYTES, Pace
from autobot_ops.restore.pipe import CommandPipe
from autobot_ops.restore.plan import Content, Request, RestorePlan, plan_restore, refuse_no_match
from autobot_ops.restore.server import FIRST_STAGING, RestoreServer
from autobot_ops.restore.survey import Survey, compare, fingerprint_database, survey_part

Step = Callable[[str, Loaded | None], None]
"""Told when a step begins, in a word, and of how much was loaded."""


@dataclass(frozen=True)
class Prepared:
    """A plan, and what it was made from."""

    plan: RestorePlan
    part: ArchivePart
    survey: Survey
    wanted: Wanted | None


def prepare(server: RestoreServer, part: ArchivePart, request: Request) -> Prepared:
    """Read the archive's part to its end, look at the server, plan. Writes nothing.

    Raises what a damaged archive raises, the refusals of `plan_restore`, and NothingMatches.
    """
    wanted = None
    if request.match is not None:
        pattern = compile_pattern(request.match)

        def wanted(key: bytes) -> bool:
            return pattern.fullmatch(key) is not None

    with server.ledger() as ledger:
        # The refusals that need no archive come first: reading one takes time.
        plan_restore(request, Content(0, 0, 0, 0), server.observe(), ledger.records(), FIRST_STAGING)
        survey = survey_part(part, server.clock()(), wanted=wanted)
        content = Content(survey.bytes, survey.keys, survey.wanted, survey.expired)
        refuse_no_match(request, content)
        plan = plan_restore(request, content, server.observe(), ledger.records(), FIRST_STAGING)
    return Prepared(plan, part, survey, wanted)


def recover(server: RestoreServer) -> list[Record]:
    """Clear away what a crash left: databases that were being loaded, keys that were being exchanged.

    Only for who holds the lock, since a restore under way looks alike. Which restores those were.
    """
    with server.ledger() as ledger:
        unfinished = [record for record in ledger.records() if record.state is not State.OPEN]
        for record in unfinished:
            _give_up(server, ledger, record)
        return unfinished


def apply_restore(
    server: RestoreServer, prepared: Prepared, *, fast: bool = False, step: Step = lambda word, loaded: None
) -> Record:
    """Load, compare, exchange; the open restore, as the ledger has it.

    `fast` loads without regard for other clients. Raises ContentDiffers, LoadRefused, ServerLost; the live
    database is then as it was, and staging empty.
    """
    plan = prepared.plan
    began = datetime.now(UTC)
    record = Record(
        id=f"{began:%Y%m%dT%H%M%S}-{plan.request.database}",
        database=plan.request.database,
        number=plan.request.number,
        staging=plan.staging,
        former=plan.former,
        archive=plan.request.archive,
        source=plan.request.source,
        state=State.LOADING,
        began_at=began.isoformat(timespec="milliseconds"),
        keys=plan.keys,
        expired=plan.expired,
        match=plan.request.match,
    )
    with server.ledger() as ledger:
        _refuse_taken_numbers(server, record)
        ledger.write(record)
        step("load", None)
        try:
            loaded = _load(server, prepared, fast=fast, step=step)
            step("compare", loaded)
            agreed = _compare(server, prepared)
            record = replace(record, keys=loaded.keys, expired=loaded.expired)
            step("exchange", loaded)
        except BaseException:
            with suppress(OpsError):
                _give_up(server, ledger, record)
            raise
        return _exchange(server, ledger, record, agreed)


def commit(server: RestoreServer, database: str) -> Record:
    """Give up the former content of a restored database. Raises NoOpenRestore."""
    with server.ledger() as ledger:
        record = _open_record(ledger, database)
        ledger.drop(record, *_flushed(record))
    return record


def undo(server: RestoreServer, database: str) -> Record:
    """Put the former content back and give up the restored one, with all that was written to it since."""
    with server.ledger() as ledger:
        record = _open_record(ledger, database)
        if record.former is None:
            ledger.drop(
                record,
                (server.ledger_number, ("SWAPDB", record.number, record.staging)),
                *_flushed(record),
            )
        else:
            # From here on a crash ends with everything taken back: `recover` goes on.
            ledger.write(replace(record, state=State.EXCHANGING))
            _give_up(server, ledger, record)
    return record


def find_open(server: RestoreServer, database: str) -> Record:
    """The open restore of a database. Raises NoOpenRestore."""
    with server.ledger() as ledger:
        return _open_record(ledger, database)


def list_restores(server: RestoreServer) -> list[Record]:
    """The ledger's records."""
    with server.ledger() as ledger:
        return ledger.records()


def _refuse_taken_numbers(server: RestoreServer, record: Record) -> None:
    for number in record.numbers:
        with server.client(number) as client:
            if client.dbsize():
                raise ContentDiffers(
                    f"staging {number} got keys since the plan was made", hint="Run the restore again."
                )


def _load(server: RestoreServer, prepared: Prepared, *, fast: bool, step: Step) -> Loaded:
    pace = Pace(MOST_BYTES, adaptive=False) if fast else Pace()
    with CommandPipe(server.loading, prepared.plan.staging, pace) as pipe:
        with prepared.part.open() as source:
            loaded = load(
                source, pipe, server.clock(), wanted=prepared.wanted, report=lambda found: step("load", found)
            )
        if loaded.incomplete:
            with prepared.part.open() as source:
                load_whole(source, pipe, loaded.incomplete)
    return loaded


def _compare(server: RestoreServer, prepared: Prepared) -> str:
    staging, survey = prepared.plan.staging, prepared.survey
    clock = server.clock()
    found = fingerprint_database(server.stream, staging, survey.taken_at)
    agreed = compare(survey.content, found, clock(), what=f"staging {staging}")
    return str(agreed)


def _exchange(server: RestoreServer, ledger: Ledger, record: Record, agreed: str) -> Record:
    if record.former is None:
        opened = record.opened(datetime.now(UTC).isoformat(timespec="milliseconds"), agreed)
        ledger.write(opened, (server.ledger_number, ("SWAPDB", record.number, record.staging)))
        return opened
    names = matching.prepare(server, ledger, record)
    ledger.write(replace(record, state=State.EXCHANGING))
    try:
        matching.exchange(server, record, names)
    except OpsError as error:
        raise ServerLost(
            f"stopped while keys were exchanged: {error.message}",
            hint="inv restore.list takes back what was exchanged, once the server answers.",
        ) from error
    opened = record.opened(datetime.now(UTC).isoformat(timespec="milliseconds"), agreed)
    ledger.write(opened)
    return opened


def _give_up(server: RestoreServer, ledger: Ledger, record: Record) -> None:
    """Empty a restore's staging databases, the exchanged keys being taken back, and forget it."""
    if record.former is not None:
        matching.take_back(server, record, ledger.names(record))
    ledger.drop(record, *_flushed(record))


def _flushed(record: Record) -> list[Elsewhere]:
    return [(number, ("FLUSHDB", "ASYNC")) for number in record.numbers]


def _open_record(ledger: Ledger, database: str) -> Record:
    found = [record for record in ledger.records() if record.state is State.OPEN]
    for record in found:
        if record.database == database:
            return record
    others = ", ".join(record.database for record in found)
    raise NoOpenRestore(
        f"no restore of '{database}' is open",
        hint=f"Open are those of: {others}." if others else "No restore is open at all: inv restore.list.",
    )
