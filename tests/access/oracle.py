"""What the catalogs allow, said a second time and more simply: the judge of the rendered rules.

It knows levels, rights and roles by the words of docs/isolation.md, and nothing of Redis' rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from autobot_ops.catalog import AccessRight, Catalogs
from autobot_ops.catalog.models import AccessControl

OPERATOR, MONITOR, BACKUP, MIGRATE, RESTORE = "operator", "monitor", "backup", "migrate", "restore"
DEFAULT = "default"
AGENTS = "agents"
"""Stands for every agent where users are listed."""
NOBODY: frozenset[str] = frozenset()

STRICT, MODERATE, BASIC = AccessControl.STRICT, AccessControl.MODERATE, AccessControl.BASIC
ALL_LEVELS = frozenset({STRICT, MODERATE, BASIC})
NOT_STRICT = frozenset({MODERATE, BASIC})
ONLY_BASIC = frozenset({BASIC})

FIRST_STAGING_NUMBER = 16


class Need(Enum):
    """What an operation does with a key."""

    READ = "reads the value"
    WRITE = "writes without seeing the value"
    BOTH = "reads and writes"
    ABOUT = "asks about the key, not for its value"


@dataclass(frozen=True)
class Oracle:
    """Answers for one server."""

    catalogs: Catalogs
    database_rules: bool
    server_databases: int = 32

    @property
    def users(self) -> tuple[str, ...]:
        """Everybody."""
        return (DEFAULT, OPERATOR, MONITOR, BACKUP, MIGRATE, RESTORE, *self.catalogs.agents)

    @property
    def catalog_numbers(self) -> tuple[int, ...]:
        """Numbers that have a name."""
        return tuple(row.number for row in self.catalogs.databases.values())

    def selectable(self, user: str) -> set[int]:
        """Numbers that a user may SELECT."""
        if user in self.catalogs.agents:
            granted = self.catalogs.agents[user].databases
            return {self.catalogs.databases[name].number for name in granted}
        return {
            OPERATOR: set(range(self.server_databases)),
            MIGRATE: {*self.catalog_numbers, *range(FIRST_STAGING_NUMBER, self.server_databases - 1)},
            RESTORE: set(range(FIRST_STAGING_NUMBER, self.server_databases)),
        }.get(user, set())

    def works_in(self, user: str, number: int) -> bool:
        """Whether commands on data can have an effect there: a connection begins in database 0."""
        return number in self.selectable(user) or (number == 0 and not self.database_rules)

    def may_use_key(
        self,
        user: str,
        number: int,
        owner: str,
        need: Need,
        levels: Iterable[AccessControl],
        roles: Iterable[str],
    ) -> bool:
        """An operation in database `number` on a key that belongs to the database `owner`."""
        if not self.works_in(user, number):
            return False
        if user not in self.catalogs.agents:
            return user in roles
        right = self.catalogs.agents[user].databases.get(owner)
        row = self.catalogs.databases[owner]
        if right is None or (self.database_rules and row.number != number):
            return False
        level = self.catalogs.security_levels[row.security_level].access_control
        return level in levels and _suffices(right, need, level)

    def may(self, user: str, users: Iterable[str]) -> bool:
        """An operation without keys that is meant for `users`."""
        if user not in self.catalogs.agents:
            return user in users
        return AGENTS in users


def _suffices(right: AccessRight, need: Need, level: AccessControl) -> bool:
    reads = right in {AccessRight.READ, AccessRight.READ_WRITE}
    writes = right in {AccessRight.WRITE, AccessRight.READ_WRITE}
    if need is Need.ABOUT:
        return reads or level is BASIC
    return {Need.READ: reads, Need.WRITE: writes, Need.BOTH: reads and writes}[need]
