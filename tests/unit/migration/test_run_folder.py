"""The folder of a run on disk: its rights, its lock, what a full disk does, what sweeps left in it."""

from __future__ import annotations

import errno
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from autobot_ops.migration import run_folder
from autobot_ops.migration.errors import AlreadyRunning, BroughtFromElsewhere, JournalFailed
from autobot_ops.migration.plan_file import PlanWriter
from autobot_ops.migration.run_folder import (
    JOURNAL,
    LOCK,
    TRANSFERS,
    RunFolder,
    find_run,
    lock_holder,
    new_run,
    only_one,
)
from tests.unit.full_disk import no_file_beyond

MOMENT = datetime(2026, 11, 23, 4, 18, 20, 123_000, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = new_run(tmp_path, MOMENT)
    folder.write("going on")
    return folder


def test_only_its_owner_may_look_into_a_run(run: RunFolder) -> None:
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((run.path / JOURNAL).stat().st_mode) == 0o600


@pytest.mark.usefixtures("_in_tokyo")
def test_ids_and_moments_are_in_utc_wherever_the_machine_is(tmp_path: Path) -> None:
    run = new_run(tmp_path, MOMENT)
    assert run.id == "20261123T041820.123Z"
    run.write("ended", outcome=run_folder.DONE)
    ended_at = run.state().ended_at
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", ended_at)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(ended_at)) < timedelta(minutes=5)


def test_a_run_without_a_place_for_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(JournalFailed, match=rf"^can't make {tmp_path}/state/.+: Not a directory$") as caught:
        new_run(tmp_path / "state", MOMENT)
    assert caught.value.hint == "Nothing was moved. The state folder must be writable."


def test_a_run_that_brought_keys_from_elsewhere_cannot_be_taken_back(run: RunFolder, tmp_path: Path) -> None:
    brought = new_run(tmp_path, MOMENT.replace(hour=5), TRANSFERS)
    brought.write("going on")
    with pytest.raises(
        BroughtFromElsewhere, match=f"^{brought.id} brought keys from another server"
    ) as caught:
        find_run(tmp_path, brought.id)
    assert caught.value.hint == "The source has them, unless --delete-source was given."
    assert find_run(tmp_path, "").id == run.id


def test_the_source_of_a_transfer_is_kept(run: RunFolder) -> None:
    run.write("began", server="here", replication_ids=[], keys=1, archive="")
    assert run.state().source == ""
    run.write("began", server="here", replication_ids=[], keys=1, archive="", source="redis://there:6379/0")
    assert run.state().source == "redis://there:6379/0"


def test_a_line_that_does_not_fit_on_the_disk_stops_everything(run: RunFolder) -> None:
    with (
        no_file_beyond(80),
        pytest.raises(JournalFailed, match=f"journal in {run.path}: {os.strerror(errno.ENOSPC)}$"),
    ):
        run.write("stayed", keys=["x" * 100])


def test_a_report_that_does_not_fit_on_the_disk_is_named(run: RunFolder) -> None:
    with (
        no_file_beyond(80),
        pytest.raises(
            JournalFailed, match=f"^can't write to {run.path}: {os.strerror(errno.EFBIG)}$"
        ) as caught,
    ):
        run.keep_report({"left": "x" * 100})
    assert caught.value.hint == "All else is done and in the journal. Make room for the next run."


def test_a_journal_that_was_closed_whole_goes_on_without_a_gap(run: RunFolder) -> None:
    run.close()
    before = (run.path / JOURNAL).read_bytes()
    run.write("going on")
    after = (run.path / JOURNAL).read_bytes()
    assert after.startswith(before + b'{"event": ')
    assert after.count(b"\n") == before.count(b"\n") + 1


def test_only_what_is_relied_on_waits_for_the_disk(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    run.write("came", number=3, keys=["a"])
    assert not synced
    run.write("reserved", plan=run_folder.PLAN, until=1, done=0, sync=True)
    assert len(synced) == 1


def test_the_name_of_a_new_journal_is_on_disk_before_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, MOMENT)
    synced: list[tuple[Path, bytes]] = []
    monkeypatch.setattr(
        run_folder, "sync_folder", lambda path: synced.append((path, (run.path / JOURNAL).read_bytes()))
    )
    run.write("going on")
    assert synced == [(run.path, b"")]
    run.close()
    run.write("going on")
    assert len(synced) == 1


def test_a_journal_that_cannot_be_closed_is_let_go(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "close", fail)
        run.close()
    run.write("ended", outcome=run_folder.DONE)
    assert run.state().outcome == run_folder.DONE


def sweep(run: RunFolder, number: int, *sections: tuple[int, int]) -> None:
    """The plan of a sweep with (database number, keys) of each section."""
    writer = PlanWriter(run.sweep(number))
    writer.finish({"sections": [{"database_number": database, "keys": keys} for database, keys in sections]})


def test_databases_that_sweeps_wrote_to_are_known_and_the_source_with_them(run: RunFolder) -> None:
    assert run.swept() == set()
    sweep(run, 1, (4, 0))
    assert run.swept() == set()
    sweep(run, 2, (6, 3), (4, 0))
    sweep(run, 3, (7, 1))
    assert run.swept() == {0, 6, 7}


def test_whoever_migrates_is_known_until_they_end(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) == ""
    with only_one(tmp_path):
        holder = lock_holder(tmp_path)
        assert re.fullmatch(rf"process {os.getpid()} on \S+ since \d{{4}}-.+\+00:00", holder)
        with (
            pytest.raises(AlreadyRunning, match=re.escape(holder)) as caught,
            only_one(tmp_path),
        ):
            pass
        assert caught.value.hint == "Wait until it has ended, or end it."
    assert (tmp_path / run_folder.FOLDER / LOCK).exists()
    assert lock_holder(tmp_path) == ""
