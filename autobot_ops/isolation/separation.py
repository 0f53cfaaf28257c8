"""Judge a server's state by the catalogs: is each database what its name says? Pure.

`judge_server` looks at figures and rules, `judge_keys` at keys; both yield findings, and an empty
list of findings is the proof of separation that `inv database.check` prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from autobot_ops.catalog import Catalogs
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER
from autobot_ops.catalog.routing import Router
from autobot_ops.isolation.observation import ServerState

EXAMPLES = 3
"""Stray keys of one kind that a finding names."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the catalogs say, and what to do about it."""

    severity: Severity
    subject: str
    message: str
    fix: str


def judge_server(
    state: ServerState,
    catalogs: Catalogs,
    user_changes: Iterable[Sequence[str]],
    restores: Mapping[int, str] = MappingProxyType({}),
) -> Iterator[Finding]:
    """Numbers, memory, eviction, alerts and access rules.

    `user_changes` are the commands of `plan_user_changes`: what would make the users right. `restores`
    are the databases whose restore wasn't committed, by the numbers of staging that these keep.
    """
    yield from _judge_numbers(state, catalogs, restores)
    yield from _judge_memory(state)
    yield from _judge_alerts(state, catalogs)
    yield from _judge_users(user_changes)


def judge_keys(name: str, keys: Iterable[bytes], router: Router) -> Iterator[Finding]:
    """Keys of one database that belong to another one, or to none, grouped by where they belong."""
    strays: dict[str | None, list[bytes]] = {}
    counts: Counter[str | None] = Counter()
    for key in keys:
        owner = router.route(key)
        if owner == name:
            continue
        counts[owner] += 1
        examples = strays.setdefault(owner, [])
        if len(examples) < EXAMPLES:
            examples.append(key)
    for owner, count in counts.items():
        shown = ", ".join(repr(key.decode("utf-8", "backslashreplace")) for key in strays[owner])
        if owner is None:
            # Database 0 keeps what no pattern claims: that is what the catalog calls `main`.
            severity = Severity.WARNING
            message = f"{count} key(s) that no database claims, such as {shown}"
            fix = f"Add a pattern to '{name}' in config/redis-databases.yaml, or delete them."
        else:
            severity = Severity.ERROR
            message = f"{count} key(s) of '{owner}', such as {shown}"
            fix = f"Move them to '{owner}', or delete them, in: inv database.cli {name}"
        yield Finding(severity, name, message, fix)


def _judge_numbers(state: ServerState, catalogs: Catalogs, restores: Mapping[int, str]) -> Iterator[Finding]:
    known = {row.number for row in catalogs.databases.values()}
    for number, figures in sorted(state.keyspace.items()):
        if number in known or number == state.databases - 1:
            # The top number is the ledger of restores.
            continue
        if number in restores:
            yield Finding(
                Severity.WARNING,
                f"number {number}",
                f"{figures.keys} keys are kept of '{restores[number]}' as it was before a restore",
                f"inv restore.commit {restores[number]} gives them up, inv restore.undo "
                f"{restores[number]} takes them back.",
            )
        elif number > LAST_CATALOG_NUMBER:
            yield Finding(
                Severity.WARNING,
                f"number {number}",
                f"a staging database holds {figures.keys} keys",
                "A restore that was not finished leaves it: inv restore.list clears it away.",
            )
        else:
            yield Finding(
                Severity.ERROR,
                f"number {number}",
                f"{figures.keys} keys in a database that the catalog doesn't know",
                "Add the database to config/redis-databases.yaml, or move its keys.",
            )


def _judge_memory(state: ServerState) -> Iterator[Finding]:
    if state.maxmemory == 0:
        yield Finding(
            Severity.ERROR,
            "server",
            "maxmemory is not set",
            "Set it well below the container's memory limit.",
        )
    if state.maxmemory_policy.startswith("allkeys"):
        yield Finding(
            Severity.ERROR,
            "server",
            f"eviction policy {state.maxmemory_policy} throws away sessions and knowledge",
            "Use noeviction, or volatile-ttl where every cache key has a time to live.",
        )


def _judge_alerts(state: ServerState, catalogs: Catalogs) -> Iterator[Finding]:
    for name, row in catalogs.databases.items():
        keys = state.keyspace[row.number].keys if row.number in state.keyspace else 0
        for what, value, limit in (
            ("keys", keys, row.alerts.keys),
            ("connections", state.connections.get(row.number, 0), row.alerts.connections),
            ("memory in percent", round(state.memory_percent), row.alerts.memory_percent),
        ):
            if value > limit:
                yield Finding(
                    Severity.WARNING,
                    name,
                    f"{what}: {value}, the alert is at {limit}",
                    "See: inv database.list",
                )


def _judge_users(changes: Iterable[Sequence[str]]) -> Iterator[Finding]:
    for _, command, user, *_rules in changes:
        what = "the catalogs don't know it" if command == "DELUSER" else "its rights differ from the catalogs"
        fix = "Load the rendered rules: inv database.reload"
        yield Finding(Severity.ERROR, f"user {user}", what, fix)
