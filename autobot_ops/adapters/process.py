"""The one place that starts processes.

`query` returns what a program prints, `execute` lets it speak to the terminal, `stream_lines` hands
over its output line by line. A program that is missing, fails or is killed becomes
ExternalCommandFailed, in words; a termination of ours ends the child as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from autobot_ops.errors import ExternalCommandFailed

GRACE_SECONDS = 10
KEPT_LINES = 60
"""Lines of output that an error keeps for its reader."""


class CommandMissing(ExternalCommandFailed):
    """The program isn't installed."""


class CommandFailed(ExternalCommandFailed):
    """The program ran and failed; `output` has its last lines."""

    def __init__(self, argv: Sequence[str], status: int, output: str, *, hint: str = "") -> None:
        name = " ".join(argv[:3])
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"failed with exit code {status}"
        last = output.strip().splitlines()
        super().__init__(f"`{name}` {how}" + (f": {last[-1].strip()}" if last else ""), hint=hint)
        self.status = status
        self.output = output


def query(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    input_text: str | None = None,
) -> str:
    """Standard output of a program that must succeed. `env` is added to ours; `timeout` in seconds."""
    with _spawn(
        argv,
        env,
        cwd,
        stdin=subprocess.PIPE if input_text is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            output, errors = process.communicate(input_text, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise ExternalCommandFailed(
                f"`{' '.join(argv[:3])}` did not answer within {timeout:g} s",
                hint="Is the service behind it running?",
            ) from error
    if process.returncode:
        raise CommandFailed(argv, process.returncode, errors or output)
    return output


def execute(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a program on our own terminal; it must succeed."""
    with _spawn(argv, env, cwd, stdin=None, stdout=None, stderr=None) as process:
        status = process.wait()
    if status:
        raise CommandFailed(argv, status, "")


def stream_lines(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[str]:
    """Lines of a program's output and errors, as they come. After the last line it must have succeeded."""
    kept: list[str] = []
    with _spawn(argv, env, cwd, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for two lines above
        for line in process.stdout:
            kept = [*kept[-KEPT_LINES:], line]
            yield line.rstrip("\n")
        status = process.wait()
    if status:
        raise CommandFailed(argv, status, "".join(kept))


@contextmanager
def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    *,
    stdin: int | None,
    stderr: int | None,
    stdout: int | None = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """Start a child and make sure that it never outlives the caller's interest in it."""
    try:
        process = subprocess.Popen(
            list(argv),
            env={**os.environ, **env} if env is not None else None,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise CommandMissing(
            f"'{argv[0]}' isn't installed", hint="Run scripts/bootstrap, which installs what is needed."
        ) from error
    except PermissionError as error:
        raise CommandMissing(f"'{argv[0]}' can't be executed", hint="Check its permissions.") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
