"""Which database a key belongs to, by the catalog. Pure.

Used by the separation check, and by the migration for its routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from autobot_ops.catalog.models import Database
from autobot_ops.catalog.patterns import STAR, literal_prefix, parse_pattern


@dataclass(frozen=True)
class Router:
    """Key patterns in the order in which they decide: the longest literal prefix first."""

    patterns: tuple[tuple[str, str], ...]
    """(pattern, database name)"""

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[bytes], str]]:
        return [(compile_pattern(pattern), name) for pattern, name in self.patterns]

    def route(self, key: bytes) -> str | None:
        """The database that claims a key, or None if no pattern matches it."""
        for pattern, name in self._compiled:
            if pattern.fullmatch(key):
                return name
        return None


def make_router(databases: Mapping[str, Database], extra: Iterable[tuple[str, str]] = ()) -> Router:
    """The catalog's routes; `extra` are further (pattern, database name) pairs, which win a tie."""
    pairs = [*extra, *((pattern, name) for name, row in databases.items() for pattern in row.key_patterns)]
    return Router(tuple(sorted(pairs, key=lambda pair: -len(literal_prefix(pair[0])))))


def compile_pattern(pattern: str) -> re.Pattern[bytes]:
    """A Redis key pattern as a regular expression over raw key bytes."""
    parts = (b".*" if part is STAR else _class_of(*part) for part in parse_pattern(pattern))
    return re.compile(b"".join(parts), re.DOTALL)


def _class_of(negated: bool, characters: frozenset[str]) -> bytes:
    """The expression for one position of a key."""
    if not characters:
        # An empty class matches nothing, and its negation anything, as in Redis.
        return b"." if negated else b"(?!)"
    escaped = b"".join(re.escape(each.encode("latin-1")) for each in sorted(characters))
    return b"[" + b"^" * negated + escaped + b"]"
