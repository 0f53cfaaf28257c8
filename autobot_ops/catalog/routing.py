"""Which database a key belongs to, by the catalog. Pure.

Used by the separation check, and by the migration for its routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from autobot_ops.catalog.models import Database
from autobot_ops.catalog.patterns import literal_prefix


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
    parts: list[bytes] = []
    raw = pattern.encode()
    index = 0
    while index < len(raw):
        character = raw[index : index + 1]
        if character == b"*":
            parts.append(b".*")
        elif character == b"?":
            parts.append(b".")
        elif character == b"[":
            end = _class_end(raw, index + 1)
            parts.append(_class_expression(raw[index + 1 : end]))
            index = end
        else:
            if character == b"\\" and index + 1 < len(raw):
                index += 1
                character = raw[index : index + 1]
            parts.append(re.escape(character))
        index += 1
    return re.compile(b"".join(parts), re.DOTALL)


def _class_end(raw: bytes, index: int) -> int:
    while index < len(raw) and raw[index : index + 1] != b"]":
        index += 2 if raw[index : index + 1] == b"\\" else 1
    return min(index, len(raw))


def _class_expression(body: bytes) -> bytes:
    negated = body.startswith(b"^")
    body = body[1:] if negated else body
    if not body:
        # An empty class matches nothing, and its negation anything, as in Redis.
        return b"." if negated else b"(?!)"
    escaped = re.sub(rb"\\(.)|([\[\]^&~|\\])", lambda found: re.escape(found[1] or found[2]), body)
    return b"[" + (b"^" if negated else b"") + escaped + b"]"
