"""Where programs run: on this host, or in a container, seen as the words before a command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from autobot_ops.adapters import process


@dataclass(frozen=True)
class Runner:
    """Without words before the command it is this host. `env` and `cwd` are those of the host's process.

    Every method raises ExternalCommandFailed as `process` does.
    """

    before: tuple[str, ...] = ()
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: Path | None = None

    def query(self, *command: str, input_text: str | None = None, timeout: float | None = None) -> str:
        """What a program prints. Secrets go through `input_text`: argument lists can be seen."""
        argv = [*self.before, *command]
        return process.query(argv, env=self.env, cwd=self.cwd, input_text=input_text, timeout=timeout)

    def stream(self, *command: str) -> Iterator[bytes]:
        """Its output in chunks; see process.stream_bytes."""
        return process.stream_bytes([*self.before, *command], env=self.env, cwd=self.cwd)

    def feed(self, chunks: Iterable[bytes], *command: str) -> str:
        """Give it input in chunks; see process.feed_bytes."""
        return process.feed_bytes([*self.before, *command], chunks, env=self.env, cwd=self.cwd)

    def converse(self, *command: str) -> AbstractContextManager[process.Child]:
        """Write to it and read from it in turns; see process.converse."""
        return process.converse([*self.before, *command], env=self.env, cwd=self.cwd)
