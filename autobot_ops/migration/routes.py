"""Where each key goes, decided quickly: one regular expression in place of a loop over patterns. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autobot_ops.catalog.load import UnknownName
from autobot_ops.catalog.models import Database
from autobot_ops.catalog.patterns import literal_prefix
from autobot_ops.catalog.routing import Router, compile_pattern, make_router
from autobot_ops.migration.errors import InvalidRoute

SOURCE_NUMBER = 0

GROUPS: Mapping[str, str] = {
    "fact:*": "facts",
    "fact_id_counter": "facts",
    "atomic_fact:*": "facts",
    "facts_by_*": "facts",
}
"""Patterns of keys that name each other: they move one after the other, with nothing in between."""

GARBAGE = frozenset({b"ping"})
"""Left by the old health check, which wrote a key. Shown, and left alone."""


@dataclass(frozen=True)
class Section:
    """A run of keys that move together: the database they go to, and the group where there is one."""

    database_name: str
    database_number: int
    group: str = ""


@dataclass(frozen=True)
class Routes:
    """The sections of a plan, and which of them a key belongs to.

    `section_of(key)` is an index of `sections`, or None for a key that no pattern claims. Keys of a section
    whose number is the source's stay.
    """

    router: Router
    sections: tuple[Section, ...]
    _by_pattern: tuple[int, ...] = field(repr=False)
    _expression: re.Pattern[bytes] = field(repr=False)

    def section_of(self, key: bytes) -> int | None:
        """The section of a key: that of the pattern with the longest literal prefix, as Router.route says."""
        found = self._expression.match(key)
        if found is None:
            return None
        # The groups are empty ones, one behind each pattern: the last that took part names the pattern.
        return self._by_pattern[(found.lastindex or 0) - 1]


def make_routes(
    databases: Mapping[str, Database],
    extra: Iterable[tuple[str, str]] = (),
    *,
    pinned: Iterable[str] = (),
) -> Routes:
    """Routes of the catalog and further (pattern, database name) pairs, which win a tie.

    `pinned` are literal prefixes whose keys stay in database 0, whatever else claims them. Raises
    UnknownName for a database that the catalog doesn't have.
    """
    extra = list(extra)
    for _, name in extra:
        if name not in databases:
            raise UnknownName("database", name, databases)
    stays = next(name for name, row in databases.items() if row.number == SOURCE_NUMBER)
    catalog = make_router(databases, extra)
    pins = tuple((_literal(prefix) + "*", stays) for prefix in pinned)
    router = Router((*pins, *catalog.patterns))
    sections: list[Section] = []
    by_pattern: list[int] = []
    for pattern, name in router.patterns:
        section = Section(name, databases[name].number, GROUPS.get(pattern, ""))
        if section not in sections:
            sections.append(section)
        by_pattern.append(sections.index(section))
    order: list[int] = []
    branches = [_tree(pins_only, order) for pins_only in _split(router.patterns, len(pins)) if pins_only]
    expression = re.compile(b"|".join(branches) or rb"(?!)", re.DOTALL)
    return Routes(router, tuple(sections), tuple(by_pattern[each] for each in order), expression)


def parse_route(text: str) -> tuple[str, str]:
    """`pattern=database` of the command line. InvalidRoute where it is none."""
    pattern, equals, name = text.rpartition("=")
    if not equals or not pattern or not name.strip():
        raise InvalidRoute(
            f"'{text}' is no route", hint="Write it as PATTERN=DATABASE, such as --route 'old:*=knowledge'."
        )
    return pattern, name.strip()


def read_rules(path: str) -> list[tuple[str, str]]:
    """The routes of a rules file; InvalidRoute where it can't be read or a line is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRoute(
            f"can't read the rules {path}: {error}", hint="A line is PATTERN=DATABASE."
        ) from error
    return parse_rules(text, path)


def parse_rules(text: str, name: str) -> list[tuple[str, str]]:
    """A rules file: one `pattern=database` a line; empty lines and those that begin with # don't count."""
    routes = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                routes.append(parse_route(line.strip()))
            except InvalidRoute as error:
                raise InvalidRoute(f"{name}:{number}: {error.message}", hint=error.hint) from error
    return routes


def _literal(prefix: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", prefix)


_Numbered = tuple[int, str]


def _split(patterns: Sequence[tuple[str, str]], first: int) -> tuple[list[_Numbered], list[_Numbered]]:
    """Pinned patterns and the others, each with its place in the router's order."""
    numbered = [(number, pattern) for number, (pattern, _) in enumerate(patterns)]
    return numbered[:first], numbered[first:]


@dataclass
class _Node:
    branches: dict[int, _Node] = field(default_factory=dict)
    patterns: list[_Numbered] = field(default_factory=list)


def _tree(patterns: Sequence[_Numbered], order: list[int]) -> bytes:
    """An expression that tries the deepest literal prefix first; `order` gets the pattern of each group.

    All patterns whose literal prefix a key begins with lie on one path of the tree. Alternatives are tried
    from left to right and, on failure, outwards: the longest prefix first, in the router's order.
    """
    root = _Node()
    for number, pattern in patterns:
        node = root
        prefix = literal_prefix(pattern)
        for byte in prefix.encode():
            node = node.branches.setdefault(byte, _Node())
        node.patterns.append((number, pattern[len(prefix) :]))
    return _expression(root, order)


def _expression(node: _Node, order: list[int]) -> bytes:
    alternatives = []
    for byte, child in node.branches.items():
        literal = bytes((byte,))
        while len(child.branches) == 1 and not child.patterns:
            ((byte, child),) = child.branches.items()  # noqa: PLW2901 (a chain is walked to its end)
            literal += bytes((byte,))
        alternatives.append(re.escape(literal) + _expression(child, order))
    for number, rest in node.patterns:
        order.append(number)
        # A star at the end needs no walk to the end of the key.
        alternatives.append(b"()" if rest == "*" else compile_pattern(rest).pattern + rb"\Z()")
    return b"(?:" + b"|".join(alternatives) + b")"
