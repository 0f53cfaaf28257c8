"""A process that does what backups do to a place, and that can be made to die at each step.

    python -m tests.component.backup.dying_process WHAT FOLDER [MORE]

    once     go through                                 trace  go through, and print the steps
    sweep    die at the first step, the second, …       hold   lock the place, say so, and wait
    moments  die at MORE random moments                 full   back up onto file systems of every size
    copies   die at every second request to the bucket at the URL MORE

FOLDER has `key`, a key file, and `start`, a place with an older archive; sweeps leave a folder for each step.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import s3fs

from autobot_ops.backup.bucket import BucketPlace
from autobot_ops.backup.copying import copy_archive
from autobot_ops.backup.errors import StorageFailed
from autobot_ops.backup.key_file import BackupKeys, load_keys
from autobot_ops.backup.listing import list_archives
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.verification import verify_archive
from tests.unit.backup.archives import Contents, rdb_of, write_archive
from tests.unit.backup.manifests import TAKEN_AT, manifest

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OLDER = manifest(TAKEN_AT).id
NEWER = manifest(TAKEN_AT + timedelta(days=1)).id
STEPS = ("write", "pwrite", "ftruncate", "fsync", "mkdir", "rename", "unlink", "rmdir")


def contents(noise_bytes: int = 100_000) -> Contents:
    """Two databases, one of them beyond a piece of age's and zstd's."""
    return Contents({"main": rdb_of(0, 1, text=Random(1).randbytes(noise_bytes)), "sessions": rdb_of(6)})


def back_up(place: LocalPlace, keys: BackupKeys, noise_bytes: int = 100_000) -> None:
    """What a backup and a removal do: clear, write, verify, remove the older one."""
    with place.lock():
        place.clear_garbage()
        taken_at = TAKEN_AT + timedelta(days=1)
        write_archive(
            place, contents(noise_bytes), taken_at=taken_at, keys=keys, plain=frozenset({"sessions"})
        )
        verify_archive(place, NEWER, keys, now=NOW)
        if OLDER in place.archive_ids():
            place.remove(OLDER)


class Steps:
    """Counts the calls that change files; the chosen one is the last, and a write is cut in half."""

    def __init__(self, last: int | None, below: Path) -> None:
        self._last = last
        self._below = str(below)
        self._count = 0
        self._lock = threading.Lock()
        self.trace: list[list[str]] = []

    def install(self) -> None:
        for name in STEPS:
            setattr(os, name, self._counting(name, getattr(os, name)))

    def _counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(target: Any, *arguments: Any, **options: Any) -> Any:
            given = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else target
            path = os.fspath(given)
            if not path.startswith(self._below):
                return call(target, *arguments, **options)
            with self._lock:
                self._count += 1
                self.trace.append(
                    [name, path, *(os.fspath(each) for each in arguments[:1] if name == "rename")]
                )
                if self._count == self._last:
                    if name == "write":
                        call(target, arguments[0][: len(arguments[0]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(target, *arguments, **options)

        return counted


def sweep(folder: Path, work: Callable[[Path, int], None], *, every: int = 1) -> None:
    """Let a child die at step 1, 2, … (or every so many), each in a folder, until one goes through."""
    for last in range(1, 10_000, every):
        shutil.copytree(folder / "start", folder / str(last))
        child = os.fork()
        if child == 0:
            work(folder / str(last), last)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(last, status, flush=True)  # noqa: T201
        if status != signal.SIGKILL:
            return


def at_moments(folder: Path, keys: BackupKeys, count: int) -> None:
    """Kill children at moments between the beginning and the end, which a first one shows."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    chosen = Random(count)
    seconds = 60.0
    for number in range(count + 1):
        shutil.copytree(folder / "start", folder / str(number))
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            back_up(LocalPlace(folder / str(number)), keys, 20_000_000)
            os._exit(0)
        if signal.sigtimedwait([signal.SIGCHLD], chosen.random() * seconds if number else seconds) is None:
            os.kill(child, signal.SIGKILL)
            signal.sigwait([signal.SIGCHLD])
        _, status = os.waitpid(child, 0)
        seconds = seconds if number else time.monotonic() - began
        print(number, status, flush=True)  # noqa: T201


def full_disks(folder: Path, keys: BackupKeys) -> None:
    """Back up onto file systems from 8 KiB up to where it fits; one JSON line for each."""
    mounted = folder / "mounted"
    mounted.mkdir()
    for kibibytes in range(8, 4096, 4):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", mounted], check=True)
        try:
            place = LocalPlace(mounted / "backups" / "autobot")
            failure = ""
            try:
                back_up(place, keys)
            except StorageFailed as error:
                failure = f"{error.message} / {error.hint}"
            rows = list_archives([place], keys).archives
            sound = True
            for row in rows:
                subprocess.run(["mount", "-o", "remount,size=64m", mounted], check=True)
                verify_archive(place, row.id, keys, now=NOW)
                sound = sound and not row.damage
            line = {
                "kibibytes": kibibytes, "failure": failure, "listed": len(rows), "sound": sound,
                "left": sorted(path.name for path in place.folder.iterdir()) if place.folder.exists() else [],
            }  # fmt: skip
            print(json.dumps(line), flush=True)  # noqa: T201
        finally:
            subprocess.run(["umount", mounted], check=True)
        if not failure:
            return


def copy(place: LocalPlace, keys: BackupKeys, url: str, last: int) -> None:
    """Copy the older archive into a bucket, dying at a request."""
    count = 0
    call = s3fs.S3FileSystem._call_s3

    async def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return await call(self, *arguments, **options)

    s3fs.S3FileSystem._call_s3 = counted
    bucket = BucketPlace(url, f"run-{last}", place.folder)
    with bucket.lock():
        bucket.clear_garbage()
        copy_archive(place, OLDER, bucket, keys)
        bucket.remove(OLDER)


def main(what: str, folder: Path, *more: str) -> None:
    keys = load_keys(folder / "key")
    place = LocalPlace(folder / "start")
    if what == "sweep":

        def die(place_folder: Path, last: int) -> None:
            Steps(last, place_folder).install()
            back_up(LocalPlace(place_folder), keys)

        sweep(folder, die)
    elif what == "copies":
        sweep(folder, lambda place_folder, last: copy(LocalPlace(place_folder), keys, more[0], last), every=2)
    elif what == "once":
        back_up(place, keys)
    elif what == "moments":
        at_moments(folder, keys, int(more[0]))
    elif what == "trace":
        steps = Steps(None, place.folder)
        steps.install()
        back_up(place, keys)
        json.dump(steps.trace, sys.stdout)
    elif what == "full":
        full_disks(folder, keys)
    elif what == "hold":
        with place.lock():
            print(os.getpid(), flush=True)  # noqa: T201
            sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
