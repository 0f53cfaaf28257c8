"""One restore at a time on this machine: a flock, which the kernel gives up with the process that held it.

That is also how an unfinished restore is known: whoever holds the lock sees a restore that is still
`loading`, and nobody is at it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autobot_ops.restore.errors import RestoreUnderWay

LOCK_FILE = "restore.lock"


@contextmanager
def restoring_alone(folder: Path) -> Iterator[None]:
    """Be the only one who restores into this stack. Raises RestoreUnderWay."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RestoreUnderWay(
                "another restore of this stack is running", hint="Wait until it has ended: inv restore.list."
            ) from error
        yield
