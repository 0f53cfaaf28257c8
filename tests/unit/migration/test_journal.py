"""The journal of a run: what was written is known again, whatever a crash tore."""

from __future__ import annotations

import json
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


def test_knows_everything_that_a_run_was_told_when_it_began(run: RunFolder) -> None:
    run.write("began", server="there", replication_ids=["a", "b"], keys=7, archive="x", staging=17)
    state = run.state()
    assert (state.server, state.replication_ids, state.planned, state.archive_id) == (
        "there",
        ("a", "b"),
        7,
        "x",
    )
    assert state.staging == 17
    assert state.began_at
    run.write("began", server="there", replication_ids=[], keys=7, archive="x")
    assert run.state().staging is None


def test_knows_whether_a_key_may_have_moved(run: RunFolder) -> None:
    assert not run.state().touched
    run.write("reserved", plan=PLAN, until=1, done=0)
    assert run.state().touched


def test_knows_which_plans_are_through(run: RunFolder) -> None:
    run.write("reserved", plan=PLAN, until=5, done=5)
    run.write("moved", plan=PLAN)
    run.write("moved", plan="sweep-0001.moves")
    plans = run.state().plans
    assert {name: (plan.reserved, plan.moved) for name, plan in plans.items()} == {
        PLAN: (5, True),
        "sweep-0001.moves": (0, True),
    }


def test_knows_where_values_were_put_aside(run: RunFolder) -> None:
    key = bytes(range(256))
    run.write("displaced", keys=named([key, b"b"]), number=3, aside=17, origin=0)
    assert run.state().displaced == {(key, 3): (17, 0), (b"b", 3): (17, 0)}


def test_a_run_that_goes_on_is_open_again(run: RunFolder) -> None:
    run.write("ended", outcome=DONE)
    assert not run.state().open
    assert run.state().ended_at
    run.write("going on")
    assert run.state().open
    assert run.state().outcome == ""


def test_a_key_that_came_without_having_stayed_is_no_problem(run: RunFolder) -> None:
    run.write("came", number=3, keys=["a"])
    assert run.state().stayed == {}


def test_sweeps_are_numbered_so_that_they_sort(run: RunFolder) -> None:
    assert [run.sweep(number).name for number in (1, 12)] == ["sweep-000001.moves", "sweep-000012.moves"]


@pytest.mark.parametrize(("name", "file"), [(None, "report.json"), ("rollback.json", "rollback.json")])
def test_keeps_a_report_beside_the_journal(run: RunFolder, name: str | None, file: str) -> None:
    report = {"moved": 3, "left": ["ä"]}
    run.keep_report(report, name) if name else run.keep_report(report)
    assert (run.path / file).read_text(encoding="ascii") == json.dumps(report, indent=2) + "\n"


def test_a_folder_is_discarded_with_all_that_is_in_it(run: RunFolder, tmp_path: Path) -> None:
    assert run.begun
    run.keep_report({})
    run.discard()
    assert not run.path.exists()
    run.discard()
    assert all_runs(tmp_path) == []


def test_what_is_no_run_is_not_listed(run: RunFolder, tmp_path: Path) -> None:
    (run.path.parent / "20261123T041820.124Z").mkdir()
    (run.path.parent / "notes").mkdir()
    (run.path.parent / "notes" / JOURNAL).write_text("")
    assert [each.id for each in all_runs(tmp_path)] == [run.id]


def test_an_unknown_run_is_named(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match=r"no migration is called '20200101T000000.000Z'") as caught:
        find_run(tmp_path, "20200101T000000.000Z")
    assert caught.value.hint == "inv migrate.list shows those that are known."
    with pytest.raises(UnknownRun, match=r"^nothing was migrated yet$"):
        find_run(tmp_path / "elsewhere", "")


def test_the_newest_run_is_the_last_one(run: RunFolder, tmp_path: Path) -> None:
    later = new_run(tmp_path, MOMENT.replace(hour=5))
    later.write("began", server="here", replication_ids=[], keys=1, archive="")
    assert find_run(tmp_path, "").id == later.id
    assert [each.id for each in all_runs(tmp_path)] == [run.id, later.id]


def test_finds_runs_by_id_and_the_newest(run: RunFolder, tmp_path: Path) -> None:
    assert find_run(tmp_path, "").id == find_run(tmp_path, run.id).id == run.id
    assert [each.id for each in all_runs(tmp_path)] == [run.id]
    with pytest.raises(UnknownRun):
        find_run(tmp_path, "20200101T000000.000Z")


def test_a_journal_that_cannot_be_written_stops_everything(run: RunFolder) -> None:
    run.discard()
    with pytest.raises(JournalFailed, match=r"can't write the journal in .*: No such file") as caught:
        run.write("reserved", plan=PLAN, until=1, done=0)
    assert caught.value.hint == "No key was moved that it doesn't have. Make room, and run inv migrate again."
