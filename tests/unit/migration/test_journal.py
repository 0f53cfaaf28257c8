"""The journal of a run: what was written is known again, whatever a crash tore."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autobot_ops.migration.errors import JournalFailed, UnknownRun
from autobot_ops.migration.run_folder import (
    DONE,
    JOURNAL,
    PLAN,
    RunFolder,
    all_runs,
    find_run,
    named,
    new_run,
)

MOMENT = datetime(2026, 11, 23, 4, 18, 20, 123_000, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = new_run(tmp_path, MOMENT)
    folder.write("began", server="here", replication_ids=["a"], keys=9, archive="id", sync=True)
    return folder


def test_a_run_is_called_by_its_moment(run: RunFolder) -> None:
    assert run.id == "20261123T041820.123Z"


def test_knows_how_far_it_was(run: RunFolder) -> None:
    run.write("reserved", plan=PLAN, until=500, done=0)
    run.write("reserved", plan=PLAN, until=900, done=250, sync=True)
    state = run.state()
    assert (state.plans[PLAN].reserved, state.plans[PLAN].done) == (900, 250)
    assert state.open
    assert (state.server, state.archive_id, state.planned) == ("here", "id", 9)


def test_names_are_kept_byte_for_byte(run: RunFolder) -> None:
    key = bytes(range(256))
    run.write("stayed", plan=PLAN, number=3, reason="why", keys=named([key]))
    assert run.state().stayed == {(key, 3): "why"}
    assert run.state().not_moved == {(PLAN, key, 3)}


def test_a_key_that_a_later_sweep_moved_did_not_stay(run: RunFolder) -> None:
    run.write("stayed", plan=PLAN, number=3, reason="why", keys=["a", "b"])
    run.write("came", number=3, keys=["a"])
    assert run.state().stayed == {(b"b", 3): "why"}


def test_a_torn_line_is_passed_over_and_closed_off(run: RunFolder) -> None:
    run.close()
    journal = run.path / JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"event": "ended", "outc')
    assert run.state().open
    run.write("ended", outcome=DONE)
    assert run.state().outcome == DONE


def test_finds_runs_by_id_and_the_newest(run: RunFolder, tmp_path: Path) -> None:
    assert find_run(tmp_path, "").id == find_run(tmp_path, run.id).id == run.id
    assert [each.id for each in all_runs(tmp_path)] == [run.id]
    with pytest.raises(UnknownRun):
        find_run(tmp_path, "20200101T000000.000Z")


def test_a_journal_that_cannot_be_written_stops_everything(run: RunFolder) -> None:
    run.discard()
    with pytest.raises(JournalFailed):
        run.write("reserved", plan=PLAN, until=1, done=0)
