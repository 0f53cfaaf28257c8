"""Every user × every database × every operation: commands sent, replies judged by the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from tests.access.operations import (
    FORBIDDEN_ON_KEYS,
    KEY_OPERATIONS,
    OPERATIONS,
    WRITERS,
    Operation,
)
from tests.access.oracle import AGENTS, ALL_LEVELS, MIGRATE, OPERATOR, RESTORE, Need, Oracle
from tests.access.seeds import Seeds, values_in

Connection = Any
"""redis-py's, whose methods it left untyped."""
Connect = Callable[[str], Connection]
"""Opens a connection of a user, in database 0, whose replies aren't decoded."""

UNKNOWN_NUMBER, STAGING_NUMBER = 12, 31
SEES_ALL_DATA = frozenset({OPERATOR, MIGRATE, RESTORE})


@dataclass(frozen=True)
class Case:
    """One try: a command in words, and those that are sent before it."""

    user: str
    number: int
    command: str
    owner: str
    allowed: bool
    destructive: bool = False
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        steps = " ; ".join((*self.before, self.command))
        return f"{self.user} in database {self.number}: {steps}" + (
            f" (key of {self.owner})" * bool(self.owner)
        )


@dataclass
class Outcome:
    """What a run of the matrix found."""

    cases: Counter[str] = field(default_factory=Counter)
    allowed: int = 0
    refused: int = 0
    surprises: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many cases were tried."""
        return self.allowed + self.refused

    def __str__(self) -> str:
        users = ", ".join(f"{user} {count}" for user, count in self.cases.items())
        return (
            f"{self.total} cases ({self.allowed} allowed, {self.refused} refused), "
            f"{len(self.surprises)} surprises; {users}"
        )


@dataclass(frozen=True)
class Matrix:
    """The cases for one server, and how to try them."""

    oracle: Oracle
    seeds: Seeds
    connect: Connect

    def numbers_of(self, user: str) -> list[int]:
        """Databases in which a user's operations are tried: where it gets without and with SELECT."""
        known = {*self.oracle.catalog_numbers, UNKNOWN_NUMBER, STAGING_NUMBER}
        return [0, *sorted(self.oracle.selectable(user) & known - {0})]

    def select_cases(self, user: str) -> Iterator[Case]:
        """SELECT of every number that the server has, by itself and in a transaction."""
        for number in range(self.oracle.server_databases):
            allowed = number in self.oracle.selectable(user)
            yield Case(user, 0, f"SELECT {number}", "", allowed)
            if self.oracle.may(user, {AGENTS, OPERATOR}):
                yield Case(user, 0, f"SELECT {number}", "", allowed, before=("MULTI",))

    def cases(self, user: str, number: int) -> Iterator[Case]:
        """Everything that is tried by a user in one database."""
        for operation in OPERATIONS:
            yield self._case(user, number, operation, "")
        for owner in self.oracle.catalogs.databases:
            yield from self._cases_on_keys(user, number, owner)
            for operation in FORBIDDEN_ON_KEYS:
                yield self._case(user, number, operation, owner)

    def _cases_on_keys(self, user: str, number: int, owner: str) -> Iterator[Case]:
        for operation in KEY_OPERATIONS:
            allowed = self.oracle.may_use_key(
                user, number, owner, operation.need, operation.levels, operation.roles
            )
            yield Case(user, number, self._fill(operation.command, number, owner), owner, allowed)
            if operation.command in {"GET {key}", "SET {key} x", "DEL {key}"}:
                # A key that a pattern of another database matches too belongs to the longest prefix's.
                command = operation.command.replace("{key}", self.seeds.twins[owner])
                yield Case(user, number, command, owner, allowed)
        own = self._owner_at(number)
        if own == owner:
            return
        # Two keys at once must both be of one database, whatever the rights on each are.
        for command in (
            "MGET {own} {key}",
            "MSET {own} x {key} x",
            "RENAME {own} {key}",
            "RENAME {key} {own}",
        ):
            need = Need.READ if command.startswith("MGET") else Need.BOTH
            roles = SEES_ALL_DATA if need is Need.READ else {OPERATOR}
            allowed = user in roles and self.oracle.works_in(user, number)
            yield Case(user, number, self._fill(command, number, owner), owner, allowed)

    def _case(self, user: str, number: int, operation: Operation, owner: str) -> Case:
        allowed = self.oracle.may(user, operation.users)
        if operation.in_a_database:
            allowed = allowed and self.oracle.works_in(user, number)
        command = self._fill(operation.command, number, owner or self._owner_at(number))
        return Case(user, number, command, owner, allowed, destructive=operation.destructive)

    def _fill(self, command: str, number: int, owner: str) -> str:
        databases = self.oracle.catalogs.databases
        own = self.seeds.names(self._owner_at(number))["key"]
        return command.format(**self.seeds.names(owner), own=own, here=number, number=databases[owner].number)

    def _owner_at(self, number: int) -> str:
        names = {row.number: name for name, row in self.oracle.catalogs.databases.items()}
        return names.get(number, "main")

    def run(self, user: str, number: int, outcome: Outcome, *, destructive: bool) -> None:
        """Try a user's cases in one database over one connection, all of them sent at once.

        Either those that reach beyond single keys and are allowed (`destructive`), or all the others.
        """
        cases = [
            case for case in self.cases(user, number) if (case.destructive and case.allowed) is destructive
        ]
        connection = self.connect(user)
        try:
            commands = [("SELECT", str(number))] * (number != 0) + [
                tuple(case.command.split()) for case in cases
            ]
            connection.send_packed_command(connection.pack_commands(commands))
            if number != 0:
                connection.read_response()
            for case in cases:
                self._judge(case, self._reply(connection), outcome)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            outcome.surprises.append(f"{user} in database {number}: the connection broke: {error}")
        finally:
            connection.disconnect()

    def run_alone(self, case: Case, outcome: Outcome) -> None:
        """Try one case over a connection of its own."""
        connection = self.connect(case.user)
        try:
            for command in case.before:
                connection.send_command(*command.split())
                connection.read_response()
            connection.send_command(*case.command.split())
            self._judge(case, self._reply(connection), outcome)
        finally:
            connection.disconnect()

    @staticmethod
    def _reply(connection: Connection) -> object:
        try:
            return connection.read_response(disable_decoding=True)
        except redis.ResponseError as error:
            return error

    def _judge(self, case: Case, reply: object, outcome: Outcome) -> None:
        # DEBUG and MODULE can be closed for everybody, which the server sees to before it looks at users.
        refused = isinstance(reply, redis.exceptions.NoPermissionError) or "command not allowed" in str(reply)
        outcome.cases[case.user] += 1
        outcome.allowed += case.allowed
        outcome.refused += not case.allowed
        if refused == case.allowed:
            verdict = "was refused, must be allowed" if refused else "was allowed, must be refused"
            outcome.surprises.append(f"{case} {verdict}; the reply was {str(reply)[:100]!r}")
        if case.user not in SEES_ALL_DATA:
            for number, key in values_in(reply):
                if not self._readable(case.user, number, key):
                    outcome.surprises.append(f"{case} showed {key} of database {number}")

    def _readable(self, user: str, number: int, key: str) -> bool:
        return self.oracle.may_use_key(
            user, number, self.seeds.owner_of[key], Need.READ, ALL_LEVELS, SEES_ALL_DATA
        )

    def unexpected_changes(
        self, user: str, before: Mapping[tuple[int, str], bytes], after: Mapping[tuple[int, str], bytes]
    ) -> Iterator[str]:
        """Keys that are different afterwards and that the user may not write."""
        for number, key in sorted({place for place, _ in before.items() ^ after.items()}):
            owner = self.seeds.owner_of.get(key)
            if owner is None or not self.oracle.may_use_key(
                user, number, owner, Need.WRITE, ALL_LEVELS, WRITERS
            ):
                yield f"{user} changed {key} of database {number}"
