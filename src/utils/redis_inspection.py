"""What a client may find out about the databases it can reach, and what its user may not look at.

An agent's user has no DBSIZE, SCAN or INFO: then the figure is None and `not_seen` says so, instead
of a zero or a pass that nobody checked. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

import redis
from redis.exceptions import NoPermissionError, RedisError

from src.utils.redis_settings import DatabaseEntry, RedisSettings

# Keys looked at per database where SCAN is allowed: a sample; the operator's check takes them all.
SAMPLED_KEYS = 500


class DatabaseSource(Protocol):
    """The part of the manager that an inspection needs."""

    @property
    def settings(self) -> RedisSettings:
        """Catalog and server."""
        ...

    def get_connection(self, database: str = ..., decode_responses: bool = ...) -> redis.Redis:
        """The client of a database."""
        ...

    def pool_statistics(self) -> dict[str, dict[str, int]]:
        """Connections of this process per database."""
        ...


@dataclass(slots=True)
class SeparationReport:
    """Outcome of an inspection. True when something was checked and no problem was found."""

    checked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_seen: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.checked) and not self.problems


def describe_databases(source: DatabaseSource) -> dict[str, dict[str, Any]]:
    """One row per database of the catalog, by name; unreachable ones carry `error`."""
    statistics = source.pool_statistics()
    return {
        name: _describe(source, entry, statistics.get(name))
        for name, entry in source.settings.databases.items()
    }


def inspect_separation(source: DatabaseSource) -> SeparationReport:
    """Each database reached by its name has its number, and sampled keys belong where they are."""
    report = SeparationReport()
    for name, entry in source.settings.databases.items():
        client = source.get_connection(name)
        try:
            selected = _selected_number(client)
        except NoPermissionError:
            report.not_seen.append(f"{name}: this user may not select database {entry.number}")
            continue
        except RedisError as error:
            report.problems.append(f"{name}: {error}")
            continue
        report.checked.append(name)
        if selected != entry.number:
            report.problems.append(f"{name}: connected to database {selected} instead of {entry.number}")
            continue
        _inspect_keys(client, entry, source.settings.databases, report)
    return report


def database_of_key(key: str, databases: Mapping[str, DatabaseEntry]) -> str | None:
    """The database that a key belongs to by the catalog's patterns, or None if no pattern claims it.

    Where several match, the longest literal prefix wins, as the catalog promises.
    """
    claims = [
        (_literal_prefix_length(pattern), name)
        for name, entry in databases.items()
        for pattern in entry.key_patterns
        if fnmatchcase(key, pattern)
    ]
    return max(claims)[1] if claims else None


def _literal_prefix_length(pattern: str) -> int:
    return next((place for place, character in enumerate(pattern) if character in "*?["), len(pattern))


def _selected_number(client: redis.Redis) -> int:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.ping()
        pipeline.client_info()
        _, information = pipeline.execute()
    return int(information["db"])


def _describe(source: DatabaseSource, entry: DatabaseEntry, pool: Mapping[str, int] | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": entry.number,
        "description": entry.description,
        "access_patterns": list(entry.access_patterns),
        "security_level": entry.security_level,
        "ttl_default": entry.ttl_default,
        "reachable": False,
        "keys": None,
        "connections": dict(pool) if pool else {"open": 0, "in_use": 0, "bound": entry.pool_bound},
        "not_seen": [],
    }
    client = source.get_connection(entry.name)
    try:
        row["reachable"] = _selected_number(client) == entry.number
    except NoPermissionError:
        row["not_seen"].append(f"this user may not select database {entry.number}")
        return row
    except RedisError as error:
        row["error"] = str(error)
        return row
    try:
        row["keys"] = int(client.dbsize())
    except NoPermissionError:
        row["not_seen"].append("this user may not count keys (DBSIZE)")
    return row


def _inspect_keys(
    client: redis.Redis,
    entry: DatabaseEntry,
    databases: Mapping[str, DatabaseEntry],
    report: SeparationReport,
) -> None:
    try:
        _, keys = client.scan(0, count=SAMPLED_KEYS)
    except NoPermissionError:
        report.not_seen.append(f"{entry.name}: this user may not list keys (SCAN), so none was compared")
        return
    except RedisError as error:
        report.problems.append(f"{entry.name}: {error}")
        return
    for key in keys:
        text = key.decode(errors="replace") if isinstance(key, bytes) else key
        owner = database_of_key(text, databases)
        if owner not in (None, entry.name):
            report.problems.append(f"{entry.name}: key '{text}' belongs to {owner}")
