"""What a restore will do, decided before it does anything. Pure: no Redis, no clock, no printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autobot_ops.restore.errors import (
    NoStagingDatabase,
    NotEnoughMemory,
    NothingMatches,
    RestoreStillOpen,
)
from autobot_ops.restore.ledger import Record, State

MEMORY_PER_BYTE = 3
MEMORY_PER_KEY = 220
"""Measured: a byte of RDB takes up to three in memory (compression, allocation), each key so much more."""

RESERVE = 0.05
"""Share of maxmemory that stays free for the clients that write meanwhile."""


@dataclass(frozen=True)
class ServerFigures:
    """What was observed. `keys` by database number; memory in bytes, `maxmemory` 0 for no limit."""

    databases: int
    keys: Mapping[int, int]
    used_memory: int
    maxmemory: int

    @property
    def ledger_number(self) -> int:
        """The top database."""
        return self.databases - 1


@dataclass(frozen=True)
class Request:
    """What is wanted: a database of an archive, into a database of the catalog, all of it or what matches."""

    archive: str
    source: str
    database: str
    number: int
    match: str | None = None


@dataclass(frozen=True)
class Content:
    """What the archive has: its size in bytes, its keys, those that match, and those of them that expired."""

    bytes: int
    keys: int
    wanted: int
    expired: int


@dataclass(frozen=True)
class RestorePlan:
    """What will happen, in figures; `steps` says it in words."""

    request: Request
    staging: int
    former: int | None
    keys: int
    expired: int
    live_keys: int
    memory_needed: int
    memory_free: int | None
    steps: tuple[str, ...]


def estimate_memory(size: int, keys: int) -> int:
    """Bytes that a database takes in a server's memory, from the size of its RDB."""
    return MEMORY_PER_BYTE * size + MEMORY_PER_KEY * keys


def plan_restore(
    request: Request, content: Content, figures: ServerFigures, records: Sequence[Record], first_staging: int
) -> RestorePlan:
    """Decide where to load, and refuse what can't go well.

    `records` are those of the ledger; `first_staging` is the first number above the catalog's. Raises
    RestoreStillOpen, NoStagingDatabase, NotEnoughMemory.
    """
    for record in records:
        if record.number == request.number and record.state is not State.LOADING:
            raise RestoreStillOpen(
                f"'{request.database}' was restored from {record.archive}, and its former content is kept",
                hint=f"inv restore.commit {request.database} gives it up, inv restore.undo "
                f"{request.database} takes it back.",
            )
    numbers = _free_numbers(figures, records, first_staging)
    wanted_numbers = 1 if request.match is None else 2
    if len(numbers) < wanted_numbers:
        raise NoStagingDatabase(
            f"no staging database is free (numbers {first_staging} to {figures.ledger_number - 1})",
            hint="inv restore.list shows open restores: commit or undo one. More numbers: redis_databases.",
        )
    share = content.wanted / content.keys if content.keys else 0
    needed = estimate_memory(round(content.bytes * share), content.wanted - content.expired)
    free = _free_memory(figures)
    if free is not None and needed > free:
        raise NotEnoughMemory(
            f"'{request.database}' needs about {_mib(needed)} beside what is there, {_mib(free)} are free",
            hint="Raise maxmemory, or restore a part of it with --match. Nothing was done.",
        )
    live = figures.keys.get(request.number, 0)
    former = None if request.match is None else numbers[1]
    keys = content.wanted - content.expired
    return RestorePlan(
        request, numbers[0], former, keys, content.expired, live, needed, free,
        tuple(_steps(request, content, numbers, live)),
    )  # fmt: skip


def refuse_no_match(request: Request, content: Content) -> None:
    """NothingMatches where `match` leaves nothing to restore: an open restore of that is only in the way."""
    if request.match is None or content.wanted > content.expired:
        return
    over = f" whose time to live isn't over ({content.expired} are)" if content.expired else ""
    raise NothingMatches(
        f"no key of '{request.source}' in {request.archive} matches '{request.match}'{over}",
        hint="Nothing was done. A pattern is written like the server's: --match 'session:*'.",
    )


def _free_numbers(figures: ServerFigures, records: Sequence[Record], first_staging: int) -> list[int]:
    taken = {number for record in records for number in record.numbers}
    numbers = range(first_staging, figures.ledger_number)
    return [number for number in numbers if number not in taken and not figures.keys.get(number)]


def _free_memory(figures: ServerFigures) -> int | None:
    if not figures.maxmemory:
        return None
    return max(0, round(figures.maxmemory * (1 - RESERVE)) - figures.used_memory)


def _steps(request: Request, content: Content, numbers: Sequence[int], live: int) -> list[str]:
    name, keys = request.database, content.wanted - content.expired
    what = f"{keys} keys" if request.match is None else f"{keys} keys that match {request.match}"
    steps = [f"load {what} of '{request.source}' from {request.archive} into staging {numbers[0]}"]
    if content.expired:
        steps.append(f"leave out {content.expired} keys whose time to live is over")
    steps.append(f"compare staging {numbers[0]} with the archive")
    if request.match is None:
        steps.append(f"exchange '{name}' (number {request.number}, {live} keys) with staging {numbers[0]}")
        kept = numbers[0]
    else:
        steps.append(f"exchange each of them with the key of that name in '{name}' (number {request.number})")
        steps.append(f"leave every other key of '{name}' as it is, also those that match and aren't archived")
        kept = numbers[1]
    steps.append(
        f"keep what was there in staging {kept}, with all that was written since, until inv restore.commit "
        f"{name} or inv restore.undo {name}"
    )
    return steps


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
