"""The one place that starts processes.

`query` returns what a program prints, `execute` lets it speak to the terminal, `stream_lines` and
`stream_bytes` hand over its output as it comes, `feed_bytes` gives it input, `converse` both in turns.
Memory is bounded in all but `query`. A program that is missing, fails or is killed becomes
ExternalCommandFailed, in words; a termination of ours ends the child as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from autobot_ops.errors import ExternalCommandFailed

GRACE_SECONDS = 10
CHUNK_BYTES = 256 * 1024
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
    return str(output)


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


class Child:
    """A running program with bytes on all its pipes. What it says on standard error is kept for errors.

    Every method raises CommandFailed when it finds that the program has ended with an error.
    """

    def __init__(self, argv: Sequence[str], process: subprocess.Popen[Any]) -> None:
        self._argv = argv
        self._process = process
        self._input: IO[bytes] = process.stdin  # type: ignore[assignment] # `converse` asked for pipes
        self._output: IO[bytes] = process.stdout  # type: ignore[assignment]
        self._complaints: deque[bytes] = deque(maxlen=KEPT_LINES)
        # In a thread: a program that fills this pipe while nobody reads it would stand still.
        self._listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._listener.start()

    def write(self, data: bytes) -> None:
        """Give it input, at once."""
        try:
            self._input.write(data)
            self._input.flush()
        except BrokenPipeError:
            self.finish()
            raise CommandFailed(self._argv, 0, "it stopped reading its input") from None

    def end_input(self) -> None:
        """Tell it that nothing more comes."""
        with suppress(BrokenPipeError):
            self._input.close()

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        """Its next output: as many bytes as asked for, fewer only at the end, none behind it."""
        data = self._output.read(size)
        if len(data) < size:
            self.finish()
        return data

    def read_line(self) -> str:
        """The next line of its output without its end; CommandFailed also where it ended well instead."""
        line = self._output.readline(CHUNK_BYTES)
        if not line:
            self.finish()
            raise CommandFailed(self._argv, 0, "it ended before it answered")
        return line.decode(errors="replace").rstrip("\n")

    def finish(self) -> None:
        """Wait for its end, which must be a success."""
        status = self._process.wait()
        # Not for ever: a grandchild may hold the pipe.
        self._listener.join(GRACE_SECONDS)
        if status:
            raise CommandFailed(self._argv, status, b"".join(self._complaints).decode(errors="replace"))

    def _listen(self, errors: IO[bytes]) -> None:
        # A closed pipe is the end of listening, however it came to be closed.
        with suppress(ValueError, OSError):
            while line := errors.readline(CHUNK_BYTES):
                self._complaints.append(line)


@contextmanager
def converse(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Child]:
    """A program to write to and to read from in turns. It is ended with the context, whatever it does."""
    pipe = subprocess.PIPE
    with _spawn(argv, env, cwd, stdin=pipe, stderr=pipe, text=False) as process:
        yield Child(argv, process)


def stream_bytes(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[bytes]:
    """A program's output in chunks.

    Behind the last one it must have succeeded; otherwise CommandFailed says that nothing of what was
    taken before may be kept.
    """
    with converse(argv, env=env, cwd=cwd) as child:
        child.end_input()
        while chunk := child.read():
            yield chunk


def feed_bytes(
    argv: Sequence[str],
    chunks: Iterable[bytes],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Give a program its input in chunks; what it prints, which may be a pipe's worth (64 KiB) at most.

    An error of the chunks ends the program: it never takes a part of its input for the whole.
    """
    with converse(argv, env=env, cwd=cwd) as child:
        for chunk in chunks:
            child.write(chunk)
        child.end_input()
        output = b""
        while chunk := child.read():
            output += chunk
        return output.decode(errors="replace")


@contextmanager
def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    *,
    stdin: int | None,
    stderr: int | None,
    stdout: int | None = subprocess.PIPE,
    text: bool = True,
) -> Iterator[subprocess.Popen[Any]]:
    """Start a child and make sure that it never outlives the caller's interest in it."""
    try:
        process = subprocess.Popen(
            list(argv),
            env={**os.environ, **env} if env is not None else None,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            errors="replace" if text else None,
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
                # Closing flushes what the program no longer wanted.
                with suppress(BrokenPipeError):
                    pipe.close()
