"""Bind rules to database numbers in the server's own way. Pure.

Redis knows no rule for databases: there SELECT with the number as first argument has to do, and a
connection that never selects works in database 0. Valkey 9.1 has `resetdbs db=1,2`, which holds for
every command.
"""

from __future__ import annotations

from collections.abc import Iterable


def selecting(numbers: Iterable[int], *, database_rules: bool) -> tuple[str, ...]:
    """SELECT, for exactly these numbers. With `database_rules` no other number can be worked in either."""
    if database_rules:
        return ("+select", *only_in(numbers, database_rules=True))
    return tuple(f"+select|{number}" for number in sorted(numbers))


def only_in(numbers: Iterable[int], *, database_rules: bool) -> tuple[str, ...]:
    """Nothing outside of these numbers, where the server has a rule for that. None at all if empty."""
    if not database_rules:
        return ()
    listed = ",".join(map(str, sorted(numbers)))
    # One rule with all numbers: a second `db=` would replace the first.
    return ("resetdbs", f"db={listed}") if listed else ("resetdbs",)


def everywhere(*, database_rules: bool) -> tuple[str, ...]:
    """In every database."""
    return ("alldbs",) if database_rules else ()
