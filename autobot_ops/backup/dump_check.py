"""The deep look at a dump of PostgreSQL: pg_restore reads all of it, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.errors import DamagedPart
from autobot_ops.rdb.window import Source

CHUNK_BYTES = 256 * 1024
MEMORY = "256m"
_REFUSED = 1
"""The exit status of pg_restore itself; others are those of what runs it."""


@dataclass(frozen=True)
class DumpCheck:
    """Gives a dump to pg_restore, which makes SQL of it for nobody. `runner` is where pg_restore is."""

    runner: Runner

    def __call__(self, dump: Source) -> None:
        """Read a plain dump to its end. Raises DamagedPart, and ExternalCommandFailed without pg_restore."""
        try:
            self.runner.feed(_chunks(dump), "pg_restore", "--file=/dev/null")
        except CommandFailed as error:
            if error.status != _REFUSED:
                raise
            last = (error.output.strip().splitlines() or ["it said nothing"])[-1]
            raise DamagedPart(f"pg_restore can't read it: {last}") from error


def in_container(image: str) -> Runner:
    """Programs of an image that get nothing but their input: no network, no disk, no rights."""
    words = (
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--log-driver", "none"),
        *("--network", "none", "--read-only", "--user", "10003:10003", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "16", "--memory", MEMORY),
        *("--entrypoint", "", image),
    )
    return Runner(words)


def _chunks(dump: Source) -> Iterator[bytes]:
    while chunk := dump.read(CHUNK_BYTES):
        yield chunk
