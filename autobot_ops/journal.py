"""The journal of operations: who did what to this stack, and how it ended. JSON Lines, append-only.

Every operation has a line when it begins and one when it ends, each written at once and synced. So one that
was killed has no second line, and the history shows it as unfinished. A line that a crash tore is passed over
when reading, and closed off by the next one that is written. Nothing is ever removed. Passwords in addresses
are blanked; other secrets must not be given as facts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autobot_ops.adapters.process_identity import process_identity, user_and_host
from autobot_ops.errors import Interrupted, OpsError

JOURNAL_FILE = "journal.jsonl"
MODE = 0o600
LONGEST_TEXT = 2000
"""Characters of one value: a message can carry a whole program's output."""

_CREDENTIALS = re.compile(r"://[^/@\s]+@")

DONE, FAILED, INTERRUPTED = "done", "failed", "interrupted"


@dataclass(frozen=True)
class Journal:
    """The journal of one project. `problem` is told in words when a line can't be written.

    An operation never fails because of its journal: a full disk must not keep anybody from taking down a
    stack, or from making room.
    """

    path: Path
    problem: Callable[[str], None] = lambda _: None

    def append(self, line: Mapping[str, object]) -> None:
        """Put one line on disk. Another process may do the same at the same time."""
        text = json.dumps(line, default=str) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.path, flags, MODE)
            try:
                _append(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            self.problem(f"the journal {self.path} can't be written: {error.strerror}")


@dataclass
class Operation:
    """An operation that is running. `numbers` go into its last line: keys, bytes, ids of archives."""

    id: str
    numbers: dict[str, object] = field(default_factory=dict)


def open_journal(project_state_dir: Path, problem: Callable[[str], None] = lambda _: None) -> Journal:
    """The journal of a project, by its state folder. The file is made with its first line."""
    return Journal(project_state_dir / JOURNAL_FILE, problem)


@contextmanager
def operation(journal: Journal, verb: str, **facts: object) -> Iterator[Operation]:
    """Journal what is done inside: a line before, a line after, however it ends. Errors pass through.

    `facts` are the arguments that matter; None and False ones are left out.
    """
    running = Operation(secrets.token_hex(6))
    began = time.monotonic()
    user, host = user_and_host()
    told = {name: value for name, value in facts.items() if value is not None and value is not False}
    who = {"user": user, "host": host, "process": process_identity(os.getpid())}
    journal.append(_line("began", running, verb=verb, **who, facts=_clean(told)))
    ending: dict[str, object] = {"outcome": DONE}
    try:
        yield running
    except BaseException as error:
        ending = _ending(error)
        raise
    finally:
        seconds = round(time.monotonic() - began, 3)
        journal.append(_line("ended", running, **ending, seconds=seconds, numbers=_clean(running.numbers)))


def _line(event: str, running: Operation, **rest: object) -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"event": event, "id": running.id, "at": now, **rest}


def _ending(error: BaseException) -> dict[str, object]:
    if isinstance(error, KeyboardInterrupt | Interrupted | GeneratorExit):
        return {"outcome": INTERRUPTED, "exit_code": Interrupted.exit_code}
    if isinstance(error, OpsError):
        return {"outcome": FAILED, "message": _clean(error.message), "exit_code": error.exit_code}
    what = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
    return {"outcome": FAILED, "message": _clean(what), "exit_code": OpsError.exit_code}


def _clean(value: object) -> Any:
    """As JSON takes it, texts shortened and without passwords in addresses."""
    if isinstance(value, Mapping):
        return {str(name): _clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _CREDENTIALS.sub("://…@", str(value))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _append(descriptor: int, text: bytes) -> None:
    """One write. What doesn't fit on the disk is taken back, so that the journal ends with a whole line."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the descriptor, also by SIGKILL
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        text = b"\n" + text  # a crash tore the last line
    if os.write(descriptor, text) < len(text):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)
