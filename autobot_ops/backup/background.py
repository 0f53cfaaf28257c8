"""Work that nobody waits for in milliseconds, in a thread that gives way to everybody else."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from autobot_ops.backup.places import Watch

NICENESS = 10
"""On a machine that is busy such a thread gets a tenth of what the servers get."""

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""

Result = TypeVar("Result")


class _Stopped(BaseException):
    """The caller was interrupted; nobody sees this."""


def in_background(work: Callable[[Watch], Result]) -> Result:
    """Run `work` in a thread of low priority and wait for it.

    It is given a Watch to call now and then: that is where it ends when the caller is interrupted.
    """
    interrupted = threading.Event()

    def watch(_: int) -> None:
        if interrupted.is_set():
            raise _Stopped

    with ThreadPoolExecutor(1, "background", _give_way) as executor:
        future = executor.submit(work, watch)
        try:
            return future.result()
        except BaseException:
            interrupted.set()
            raise


def share_one_arena() -> None:
    """Have all threads take memory from one pool; to be called before they start.

    glibc gives each thread a pool of its own, and each keeps what its largest moment took. A backup has a
    thread per file, of which one works at a time: 15 MiB less.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library has no such option, and needs none
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _give_way() -> None:
    # Linux counts niceness by thread, and takes a thread's id here.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
