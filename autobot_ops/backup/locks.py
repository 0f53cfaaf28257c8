"""Locks that end with the process that holds them: flocks of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

from autobot_ops.backup.durable_files import FILE_MODE, storing
from autobot_ops.backup.errors import BackupRunning


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Be the only one who holds this file, whose text then is our process id; BackupRunning.

    The file stays: whoever removed it could remove one that somebody just locked.
    """
    descriptor = _open(path)
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            raise BackupRunning(
                f"another backup or removal is running: process {holder or 'unknown'}",
                hint="Wait until it has ended, and run this again.",
            ) from error
        with storing("the backup folder can't be written", path.parent):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextmanager
def share_file(path: Path) -> Iterator[None]:
    """Hold this file with others; waits while somebody holds it alone."""
    descriptor = _open(path)
    try:
        flock(descriptor, LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def hold_unshared(path: Path) -> Iterator[bool]:
    """Hold this file alone, if nobody shares it; says whether."""
    descriptor = _open(path)
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    with storing("the backup folder can't be written", path.parent):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
