"""Rules that span rows of the catalogs. Pure: takes models and line numbers, returns problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from autobot_ops.catalog.models import LAST_CATALOG_NUMBER, RESERVED_USERS, AgentCatalog, DatabaseCatalog
from autobot_ops.catalog.patterns import literal_prefix, patterns_overlap
from autobot_ops.validation import Problem, nearest
from autobot_ops.yaml_source import Location

Place = Callable[[Location], str]
"""Gives `file:line` of a value."""


def database_problems(catalog: DatabaseCatalog, place: Place, server_databases: int) -> Iterator[Problem]:
    """Numbers, tiers, levels and key patterns of the databases."""
    highest = min(LAST_CATALOG_NUMBER, server_databases - 1)
    owner_of: dict[int, str] = {}
    for name, database in catalog.databases.items():
        number_place = place(("databases", name, "number"))
        if not 0 <= database.number <= highest:
            yield Problem(
                number_place,
                f"number {database.number} of database '{name}' is outside 0-{highest}",
                f"Choose a free number from 0 to {highest}; the server's higher ones are for staging.",
            )
        elif database.number in owner_of:
            free = sorted(set(range(highest + 1)) - {each.number for each in catalog.databases.values()})
            yield Problem(
                number_place,
                f"databases '{owner_of[database.number]}' and '{name}' share the number {database.number}",
                f"Give '{name}' a free number, for example {free[0]}." if free else "No number is free.",
            )
        owner_of.setdefault(database.number, name)
        if database.tier not in catalog.tiers:
            yield Problem(
                place(("databases", name, "tier")),
                f"unknown tier '{database.tier}' of database '{name}'",
                nearest(database.tier, catalog.tiers),
            )
        if database.security_level not in catalog.security_levels:
            yield Problem(
                place(("databases", name, "security_level")),
                f"unknown security level '{database.security_level}' of database '{name}'",
                nearest(database.security_level, catalog.security_levels),
            )
    yield from _overlaps(catalog, place)


def _overlaps(catalog: DatabaseCatalog, place: Place) -> Iterator[Problem]:
    """Keys that two databases claim.

    A pattern that starts with a wildcard loses against any other by the rule of the longest literal
    prefix, so such a pair is decided; every other pair that shares a key is refused.
    """
    claims = [
        (name, index, pattern)
        for name, database in catalog.databases.items()
        for index, pattern in enumerate(database.key_patterns)
    ]
    for (first, _, one), (second, index, other) in combinations(claims, 2):
        if first == second or bool(literal_prefix(one)) != bool(literal_prefix(other)):
            continue
        if patterns_overlap(one, other):
            yield Problem(
                place(("databases", second, "key_patterns", index)),
                f"key pattern '{other}' of '{second}' overlaps '{one}' of '{first}'",
                "Narrow one of the two, so that every key has one database.",
            )


def agent_problems(catalog: AgentCatalog, databases: Mapping[str, object], place: Place) -> Iterator[Problem]:
    """Names, ports, rights and volumes of the agents."""
    owner_of: dict[int, str] = {}
    for name, agent in catalog.agents.items():
        if name in RESERVED_USERS:
            yield Problem(
                place(("agents", name)),
                f"agent '{name}' is called like a user that the tool makes in redis",
                f"Choose another name than {', '.join(RESERVED_USERS)}.",
            )
        if agent.port in owner_of:
            yield Problem(
                place(("agents", name, "port")),
                f"agents '{owner_of[agent.port]}' and '{name}' have the same port {agent.port}",
                f"Give '{name}' a free port, for example {max(a.port for a in catalog.agents.values()) + 1}.",
            )
        owner_of.setdefault(agent.port, name)
        for database_name in agent.databases:
            if database_name not in databases:
                yield Problem(
                    place(("agents", name, "databases", database_name)),
                    f"agent '{name}' has a right on the unknown database '{database_name}'",
                    nearest(database_name, databases),
                )
        if agent.volume is not None and agent.volume.database not in agent.databases:
            yield Problem(
                place(("agents", name, "volume", "database")),
                f"the volume of '{name}' belongs to '{agent.volume.database}', "
                "which the agent has no right on",
                f"Choose one of {', '.join(agent.databases)}.",
            )
