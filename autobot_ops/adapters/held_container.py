"""A container that stands still while something is copied, and goes on afterwards whatever happens to us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from autobot_ops.adapters import process

# Its input is the lease: it ends with us, also where we are killed. What interrupts us doesn't reach it.
_HOLD = """
trap '' INT TERM HUP
docker "$1" "$3" >/dev/null || exit
echo held
cat >/dev/null
docker "$2" "$3" >/dev/null
"""


class Hold(Enum):
    """How it is held: docker's command, and the one that undoes it."""

    PAUSED = ("pause", "unpause")
    STOPPED = ("stop", "start")


@contextmanager
def held(container: str, how: Hold) -> Iterator[None]:
    """Hold a running container, by name or id. Raises CommandFailed where it isn't there or isn't running."""
    before, after = how.value
    with process.converse(("sh", "-c", _HOLD, "hold", before, after, container)) as child:
        child.read_line()
        try:
            yield
        finally:
            child.end_input()
            child.finish()
