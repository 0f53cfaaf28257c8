"""What a restore plans, and what it refuses."""

from __future__ import annotations

import pytest

from autobot_ops.restore.errors import (
    NoStagingDatabase,
    NotEnoughMemory,
    NothingMatches,
    RestoreStillOpen,
)
from autobot_ops.restore.ledger import Record, State, parse_record
from autobot_ops.restore.plan import (
    Content,
    Request,
    ServerFigures,
    estimate_memory,
    plan_restore,
    refuse_no_match,
)

MIB = 2**20
REQUEST = Request("20261123T041820.123Z-critical", "sessions", "sessions", 6)
MATCHING = Request("20261123T041820.123Z-critical", "sessions", "sessions", 6, "session:*")
CONTENT = Content(bytes=10 * MIB, keys=1000, wanted=1000, expired=40)
FIGURES = ServerFigures(32, {6: 900}, 100 * MIB, 400 * MIB)


def record(number: int, staging: int, state: State = State.OPEN, former: int | None = None) -> Record:
    return Record(
        id="20261123T050000-sessions", database="sessions", number=number, staging=staging,
        archive="archive", source="sessions", state=state, began_at="2026-11-23T05:00:00.000+00:00",
        keys=1, expired=0, former=former,
    )  # fmt: skip


def test_the_plan_in_words() -> None:
    plan = plan_restore(REQUEST, CONTENT, FIGURES, [], 16)
    assert plan.steps == (
        "load 960 keys of 'sessions' from 20261123T041820.123Z-critical into staging 16",
        "leave out 40 keys whose time to live is over",
        "compare staging 16 with the archive",
        "exchange 'sessions' (number 6, 900 keys) with staging 16",
        "keep what was there in staging 16, with all that was written since, until inv restore.commit "
        "sessions or inv restore.undo sessions",
    )
    assert (plan.keys, plan.expired, plan.live_keys, plan.former) == (960, 40, 900, None)


def test_a_match_takes_two_staging_databases_and_says_what_stays() -> None:
    plan = plan_restore(MATCHING, CONTENT, FIGURES, [], 16)
    assert (plan.staging, plan.former) == (16, 17)
    assert any("isn't" in step or "aren't archived" in step for step in plan.steps)


@pytest.mark.parametrize(("wanted", "expired"), [(0, 0), (3, 3)])
def test_refuses_a_match_that_leaves_nothing(wanted: int, expired: int) -> None:
    with pytest.raises(NothingMatches, match="'session:"):
        refuse_no_match(MATCHING, Content(MIB, 1000, wanted, expired))


def test_an_empty_database_may_be_restored_whole() -> None:
    refuse_no_match(MATCHING, Content(MIB, 1000, 3, 2))
    refuse_no_match(REQUEST, Content(0, 0, 0, 0))


def test_takes_a_number_that_is_neither_filled_nor_in_the_ledger() -> None:
    figures = ServerFigures(32, {16: 1, 19: 2}, 0, 0)
    plan = plan_restore(MATCHING, CONTENT, figures, [record(7, 17, former=18)], 16)
    assert (plan.staging, plan.former) == (20, 21)


def test_never_takes_the_ledger() -> None:
    with pytest.raises(NoStagingDatabase, match="16 to 16"):
        plan_restore(REQUEST, CONTENT, ServerFigures(18, {16: 1}, 0, 0), [], 16)
    with pytest.raises(NoStagingDatabase):
        plan_restore(MATCHING, CONTENT, ServerFigures(18, {}, 0, 0), [], 16)


@pytest.mark.parametrize("state", [State.OPEN, State.EXCHANGING])
def test_refuses_a_database_whose_restore_is_open(state: State) -> None:
    with pytest.raises(RestoreStillOpen) as caught:
        plan_restore(REQUEST, CONTENT, FIGURES, [record(6, 16, state)], 16)
    assert "inv restore.undo sessions" in caught.value.hint


def test_refuses_what_does_not_fit_and_takes_what_does() -> None:
    needed = estimate_memory(10 * MIB, 960)
    room = ServerFigures(32, {}, 0, round(needed / 0.95) + 2)
    assert plan_restore(REQUEST, CONTENT, room, [], 16).memory_needed == needed
    with pytest.raises(NotEnoughMemory, match="MiB"):
        plan_restore(REQUEST, CONTENT, ServerFigures(32, {}, MIB, room.maxmemory), [], 16)


def test_a_match_needs_its_share_of_the_memory() -> None:
    few = Content(bytes=10 * MIB, keys=1000, wanted=10, expired=0)
    assert plan_restore(MATCHING, few, FIGURES, [], 16).memory_needed < estimate_memory(MIB, 10)


def test_no_limit_of_memory_is_no_refusal() -> None:
    plan = plan_restore(REQUEST, CONTENT, ServerFigures(32, {}, 100 * MIB, 0), [], 16)
    assert plan.memory_free is None


def test_a_record_reads_back_as_it_was_written() -> None:
    written = record(6, 16, State.EXCHANGING, former=17)
    assert parse_record(written.render()) == written
