"""What the journal says: operations, from the newest back. Reading is bounded, however long the file is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autobot_ops.errors import ConfigurationError, ServiceUnreachable

UNFINISHED, RUNNING = "unfinished", "running"
READ_BYTES = 8 * 1024 * 1024
"""Of the journal's end; some 20,000 operations."""

COLUMNS = ("began", "verb", "who", "seconds", "outcome", "what")


class JournalUnreadable(ServiceUnreachable):
    """The journal is there and can't be read."""


class InvalidLimit(ConfigurationError):
    """A number of lines that is none."""


@dataclass
class PastOperation:
    """An operation as its lines tell it. `ended_at` is empty where the second line is missing."""

    id: str
    verb: str
    began_at: str
    user: str
    host: str
    process: str
    outcome: str = UNFINISHED
    ended_at: str = ""
    seconds: float | None = None
    message: str = ""
    exit_code: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table with COLUMNS."""
        told = {**self.facts, **self.numbers}
        what = "  ".join(f"{name}={_in_words(value)}" for name, value in told.items())
        message = f"{self.message} (exit code {self.exit_code})" if self.message else ""
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        who = f"{self.user}@{self.host}"
        return (
            self.began_at,
            self.verb,
            who,
            seconds,
            self.outcome,
            "  ".join(filter(None, (message, what))),
        )


@dataclass(frozen=True)
class History:
    """Operations, the newest first, and how many lines couldn't be understood."""

    operations: tuple[PastOperation, ...]
    unreadable_lines: int


def read_history(
    path: Path, *, is_running: Callable[[str], bool], limit: int, verb: str | None = None
) -> History:
    """The newest operations, of one verb or of a group of them (`secrets` for `secrets.rotate`).

    A journal that isn't there is an empty one. Raises JournalUnreadable and InvalidLimit.
    """
    if limit < 1:
        raise InvalidLimit(f"'{limit}' operations can't be shown", hint="Use --limit with 1 or more.")
    operations, unreadable = parse_journal(_last_lines(path))
    chosen = [each for each in reversed(operations) if verb is None or _is_meant(each.verb, verb)][:limit]
    for each in chosen:
        if each.outcome == UNFINISHED and is_running(each.process):
            each.outcome = RUNNING
    return History(tuple(chosen), unreadable)


def parse_journal(lines: Iterable[bytes]) -> tuple[list[PastOperation], int]:
    """Operations in the order in which they began, and the number of lines that say nothing. Pure."""
    operations: dict[str, PastOperation] = {}
    unreadable = 0
    for line in filter(None, lines):
        try:
            row = json.loads(line)
            if row["event"] == "began":
                operations[row["id"]] = _began(row)
            elif row["id"] in operations:  # otherwise it began before what was read
                _end(operations[row["id"]], row)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            unreadable += 1
    return list(operations.values()), unreadable


def _began(row: dict[str, Any]) -> PastOperation:
    return PastOperation(
        id=str(row["id"]),
        verb=str(row["verb"]),
        began_at=str(row["at"]),
        user=str(row["user"]),
        host=str(row["host"]),
        process=str(row["process"]),
        facts=dict(row["facts"]),
    )


def _end(operation: PastOperation, row: dict[str, Any]) -> None:
    operation.outcome = str(row["outcome"])
    operation.ended_at = str(row["at"])
    operation.seconds = float(row["seconds"])
    operation.message = str(row.get("message", ""))
    operation.exit_code = int(row.get("exit_code", 0))
    operation.numbers = dict(row["numbers"])


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - READ_BYTES)
            file.seek(start)
            lines = file.read(READ_BYTES).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalUnreadable(
            f"the journal can't be read: {error.strerror}", hint=f"Look at {path}."
        ) from error
    return lines[1:] if start else lines


def _is_meant(verb: str, wanted: str) -> bool:
    return verb == wanted or verb.startswith(f"{wanted}.")


def _in_words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
