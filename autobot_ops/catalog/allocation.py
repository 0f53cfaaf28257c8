"""Add a database to the catalogs' text, with everything else, comments too, left as it is.

Pure: takes texts, returns texts. The caller validates the result before it writes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from autobot_ops.catalog.load import Catalogs
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER, AccessPattern, AccessRight
from autobot_ops.errors import ConfigurationError
from autobot_ops.validation import nearest
from autobot_ops.yaml_source import Location, YamlSource

INDENT = "  "
Choice = TypeVar("Choice", AccessPattern, AccessRight)


class NoFreeNumber(ConfigurationError):
    """Every number of the catalog's range is taken."""


class NameTaken(ConfigurationError):
    """A database of that name exists."""


@dataclass(frozen=True)
class Allocation:
    """A new database and the rights that agents get on it."""

    name: str
    number: int
    description: str
    key_patterns: tuple[str, ...]
    access_pattern: AccessPattern
    tier: str
    security_level: str
    grants: Mapping[str, AccessRight]


def plan_allocation(
    catalogs: Catalogs,
    name: str,
    *,
    key_patterns: Sequence[str] = (),
    description: str = "",
    access_pattern: str = "frequent",
    tier: str = "optional",
    security_level: str = "medium",
    grants: Mapping[str, str] | None = None,
) -> Allocation:
    """Choose the lowest free number. Raises ConfigurationError for what the catalogs would refuse."""
    if name in catalogs.databases:
        raise NameTaken(
            f"database '{name}' exists, number {catalogs.databases[name].number}",
            hint="Choose another name; inv database.list shows all.",
        )
    for agent in grants or {}:
        catalogs.agent(agent)
    taken = {row.number for row in catalogs.databases.values()}
    free = [number for number in range(LAST_CATALOG_NUMBER + 1) if number not in taken]
    if not free:
        raise NoFreeNumber(
            f"all numbers from 0 to {LAST_CATALOG_NUMBER} are taken", hint="Remove a database that is empty."
        )
    return Allocation(
        name=name,
        number=free[0],
        description=description or f"Allocated as {name}",
        key_patterns=tuple(key_patterns) or (f"{name}:*",),
        access_pattern=_member(AccessPattern, access_pattern, "access pattern"),
        tier=tier,
        security_level=security_level,
        grants={agent: _member(AccessRight, right, "right") for agent, right in (grants or {}).items()},
    )


def with_database(text: str, source: YamlSource, allocation: Allocation) -> str:
    """The text of redis-databases.yaml with the new row behind the last one."""
    patterns = ", ".join(f'"{pattern}"' for pattern in allocation.key_patterns)
    fields = {
        "number": allocation.number,
        "description": allocation.description,
        "components": f"[{', '.join(allocation.grants)}]",
        "key_patterns": f"[{patterns}]",
        "access_patterns": f"[{allocation.access_pattern}]",
        "tier": allocation.tier,
        "security_level": allocation.security_level,
        "ttl_default": "null",
        "alerts": "{memory_percent: 80, connections: 15, keys: 100000}",
    }
    row = [f"{INDENT}{allocation.name}:", *(f"{INDENT * 2}{key}: {value}" for key, value in fields.items())]
    return _insert_after(text, _last_line(source, ("databases",)), ["", *row])


def with_grants(text: str, source: YamlSource, allocation: Allocation) -> str:
    """The text of agents.yaml with a right for each agent that the allocation names."""
    lines = {
        _last_line(source, ("agents", agent, "databases")): f"{INDENT * 3}{allocation.name}: {right}"
        for agent, right in allocation.grants.items()
    }
    # From the end, so that the earlier line numbers stay right.
    for line in sorted(lines, reverse=True):
        text = _insert_after(text, line, [lines[line]])
    return text


def _last_line(source: YamlSource, path: Location) -> int:
    return max(line for location, line in source.lines.items() if location[: len(path)] == path)


def _insert_after(text: str, line: int, new_lines: Sequence[str]) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:line], *new_lines, *lines[line:]]) + "\n"


def _member(kind: type[Choice], value: str, what: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(f"unknown {what} '{value}'", hint=nearest(value, kind)) from None


def parse_grants(texts: Sequence[str]) -> dict[str, str]:
    """`chat=read-write` → {"chat": "read-write"}; a right alone can't be guessed."""
    grants: dict[str, str] = {}
    for text in texts:
        agent, separator, right = text.partition("=")
        if not separator:
            raise ConfigurationError(
                f"a grant has the form AGENT=RIGHT, found '{text}'",
                hint="For example: --grant chat=read-write",
            )
        grants[agent] = right
    return grants
