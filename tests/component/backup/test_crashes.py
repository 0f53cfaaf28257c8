"""Whatever kills a backup, an archive is complete or isn't one, and the next backup clears the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.copying import copy_archive
from autobot_ops.backup.errors import BackupRunning, StorageFailed
from autobot_ops.backup.key_file import BackupKeys, make_key_file
from autobot_ops.backup.listing import list_archives
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.marks import read_mark
from autobot_ops.backup.verification import verify_archive
from tests.component.backup.dying_process import NEWER, NOW, OLDER, contents
from tests.component.backup.storage_server import BUCKET, StorageServer
from tests.unit.backup.archives import write_archive
from tests.unit.backup.manifests import TAKEN_AT

Record = Callable[[str, object], None]
ROOT = Path(__file__).resolve().parents[3]
SECONDS = 240
RANDOM_MOMENTS = 30


@pytest.fixture
def keys(tmp_path: Path) -> BackupKeys:
    return make_key_file(tmp_path / "key")


@pytest.fixture
def start(tmp_path: Path, keys: BackupKeys) -> LocalPlace:
    """A place with an older archive, and with what a crash left before."""
    place = LocalPlace(tmp_path / "start")
    with place.lock():
        write_archive(place, contents(), keys=keys)
    half = place.folder / "20260101T000000.000Z-critical.partial" / "databases"
    half.mkdir(parents=True)
    (half / "main.rdb.zst.age").write_bytes(b"half")
    return place


def command(what: str, folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.component.backup.dying_process", what, str(folder), *more]


def run(what: str, folder: Path, *more: str, before: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        [*before, *command(what, folder, *more)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_after_crash(place: LocalPlace, keys: BackupKeys) -> str:
    """What every crash must leave; gives how many archives there are, and whether garbage was left."""
    listed = place.archive_ids()
    assert set(listed) <= {OLDER, NEWER}
    assert listed, "there must always be one"
    if OLDER not in listed:
        assert read_mark(place, NEWER) is not None, "the older one goes when the newer one is proved"
    rows = list_archives([place], keys).archives
    assert [row.damage for row in rows] == [""] * len(rows)
    for archive_id in listed:
        verify_archive(place, archive_id, keys, now=NOW)
    garbage = place.garbage()

    with place.lock():  # which the dead process doesn't hold any more
        assert place.clear_garbage() == garbage
        third = write_archive(place, taken_at=TAKEN_AT + timedelta(days=2), keys=keys).id
    assert place.archive_ids() == sorted([*listed, third])
    assert sorted(path.name for path in place.folder.iterdir()) == sorted([".lock", *listed, third])
    for archive_id in listed:
        names = {path.name for path in (place.folder / archive_id).iterdir()}
        assert names - {"verification.json.tmp"} == {
            "databases", "postgres", "instance.rdb.zst.age", "manifest.json", "verification.json",
        }  # fmt: skip
    return f"{'older ' * (OLDER in listed)}{'newer ' * (NEWER in listed)}{'garbage' * bool(garbage)}".strip()


def test_a_kill_at_every_write_sync_and_rename_leaves_whole_archives_only(
    tmp_path: Path, start: LocalPlace, keys: BackupKeys, record_property: Record
) -> None:
    lines = [line.split() for line in run("sweep", tmp_path).splitlines()]
    assert [int(status) for _, status in lines] == [signal.SIGKILL] * (len(lines) - 1) + [0]
    outcomes: dict[str, int] = {}
    for number, _ in lines:
        outcome = check_after_crash(LocalPlace(tmp_path / number), keys)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.keys() == {"older garbage", "older", "older newer", "newer garbage", "newer"}
    record_property(f"killed at each of {len(lines) - 1} steps, what was listed", outcomes)


def test_a_kill_at_random_moments_leaves_whole_archives_only(
    tmp_path: Path, start: LocalPlace, keys: BackupKeys, record_property: Record
) -> None:
    whole, *lines = [line.split() for line in run("moments", tmp_path, str(RANDOM_MOMENTS)).splitlines()]
    assert whole == ["0", "0"]
    assert len(lines) == RANDOM_MOMENTS
    killed = sum(int(status) == signal.SIGKILL for _, status in lines)
    assert killed >= RANDOM_MOMENTS // 2, "the moments lie behind the end"
    outcomes: dict[str, int] = {}
    for number, _ in lines:
        outcome = check_after_crash(LocalPlace(tmp_path / number), keys)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    record_property(f"{killed} of {RANDOM_MOMENTS} killed at random moments, what was listed", outcomes)


def test_everything_is_synced_before_what_depends_on_it(
    tmp_path: Path, start: LocalPlace, keys: BackupKeys
) -> None:
    """A kill keeps what was written; a power cut keeps only what was synced. So the order is looked at."""
    trace: list[list[str]] = json.loads(run("trace", tmp_path))
    folder = str(start.folder)
    partial = f"{folder}/{NEWER}.partial"

    def last(*step: str) -> int:
        return max(index for index, each in enumerate(trace) if each == list(step))

    manifest_put = last("rename", f"{partial}/manifest.json.tmp", f"{partial}/manifest.json")
    commit = last("rename", partial, f"{folder}/{NEWER}")
    written = {path for step, path, *_ in trace if step == "write" and path.startswith(partial)}
    assert len(written) == 5
    for path in written:
        assert last("write", path) < last("fsync", path) < manifest_put, path
    made = {path for step, path, *_ in trace if step == "mkdir" and path.startswith(partial + "/")}
    assert {Path(path).name for path in made} == {"databases", "postgres"}
    for path in made:
        assert last("fsync", path) < manifest_put, path
    assert manifest_put < last("fsync", partial) < commit
    after = [each for each in trace[commit:] if each == ["fsync", folder]]
    assert after, "the commit's own sync"
    removed = last("unlink", f"{folder}/{OLDER}/manifest.json")
    mark = trace.index(
        ["rename", f"{folder}/{NEWER}/verification.json.tmp", f"{folder}/{NEWER}/verification.json"]
    )
    assert trace[commit + 1] == ["fsync", folder]
    assert commit + 1 < mark < removed
    assert trace[removed + 1] == ["fsync", f"{folder}/{OLDER}"]


def test_a_full_disk_at_any_point_leaves_nothing_half_made(
    tmp_path: Path, keys: BackupKeys, record_property: Record
) -> None:
    before = (
        ("unshare", "--mount") if os.getuid() == 0 else ("unshare", "--user", "--map-root-user", "--mount")
    )
    lines = [json.loads(line) for line in run("full", tmp_path, before=before).splitlines()]
    *failed, fitted = lines
    assert fitted["failure"] == ""
    assert fitted["listed"] == 1
    for line in failed:
        assert "No space left on device" in line["failure"]
        assert "Make room" in line["failure"]
        assert line["sound"]
        # What is listed was committed; there was only no room for the mark of its verification.
        assert line["left"] in ([], [".lock"], [".lock", NEWER]), line
        assert line["listed"] == (NEWER in line["left"])
    assert len(failed) > 20
    marks_only = sum(line["listed"] for line in failed)
    record_property(
        "sizes of a full disk tried", f"{len(failed)}, in {marks_only} of them only the mark failed"
    )


def test_a_second_backup_is_refused_and_a_killed_one_leaves_no_lock(
    tmp_path: Path, start: LocalPlace, keys: BackupKeys
) -> None:
    first = subprocess.Popen(
        command("hold", tmp_path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert first.stdout is not None
        holder = first.stdout.readline().decode().strip()
        before = sorted(start.folder.rglob("*"))
        second = subprocess.run(
            command("once", tmp_path), cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert f"BackupRunning: another backup or removal is running: process {holder}" in second.stderr
        with pytest.raises(BackupRunning, match=f"process {holder}"), start.lock():
            pass
        assert sorted(start.folder.rglob("*")) == before
    finally:
        first.kill()
        first.communicate()
    with start.lock():
        assert start.clear_garbage() == ["20260101T000000.000Z-critical.partial"]


def test_a_copy_killed_at_every_second_request_is_none_and_is_resumed(
    tmp_path: Path,
    start: LocalPlace,
    keys: BackupKeys,
    storage: StorageServer,
    record_property: Record,
) -> None:
    url = f"s3://{BUCKET}/copies"
    lines = [line.split() for line in run("copies", tmp_path, url).splitlines()]
    assert [int(status) for _, status in lines] == [signal.SIGKILL] * (len(lines) - 1) + [0]
    outcomes: dict[str, int] = {}
    for number, _ in lines[:-1]:
        bucket = BucketPlace(url, f"run-{number}", start.folder)
        listed, garbage = bucket.archive_ids(), bucket.garbage()
        for archive_id in listed:
            verify_archive(bucket, archive_id, keys, now=NOW)
        with bucket.lock():
            copy_archive(start, OLDER, bucket, keys)
        assert bucket.archive_ids() == [OLDER]
        assert bucket.garbage() == []
        verify_archive(bucket, OLDER, keys, now=NOW)
        outcome = "listed" if listed else "garbage" if garbage else "nothing"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.keys() == {"nothing", "garbage", "listed"}
    record_property(
        f"a copy and its removal killed at {len(lines) - 1} requests, every second, then", outcomes
    )


def test_a_storage_that_dies_in_the_middle_is_named_and_leaves_the_archive_unhurt(
    start: LocalPlace, keys: BackupKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = StorageServer()
    server.start()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = BucketPlace(f"s3://{BUCKET}", "autobot", tmp_path)
    try:
        died_at = []
        for dies_at in (1, 100_000, 101_000):

            def die(count: int, dies_at: int = dies_at) -> None:
                died_at.append(count)
                if sum(died_at) >= dies_at:
                    server.stop()

            died_at.clear()
            with pytest.raises(StorageFailed, match=f"s3://{BUCKET}/autobot"):
                copy_archive(start, OLDER, bucket, keys, watch=die)
            verify_archive(start, OLDER, keys, now=NOW)
            server.start()  # empty: moto keeps nothing
        copy_archive(start, OLDER, bucket, keys)
        verify_archive(bucket, OLDER, keys, now=NOW)
    finally:
        server.stop()
