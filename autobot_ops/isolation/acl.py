"""The users of Redis, rendered from the catalogs. Pure: no Redis, no files, no printing.

What holds on Redis 7.0 (the matrix in tests/access tries every line of it):
- SELECT alone isolates nothing: a connection that never selects works in database 0, and COPY, MOVE
  and SWAPDB reach across. Key patterns close that, and those commands are denied.
- Each granted database is one selector: its key patterns, its commands, its SELECT. So a command
  with several keys stays inside one database's patterns, and each level can have its own commands.
- Patterns don't hold back commands without keys (SCAN, DBSIZE, RANDOMKEY, …): those are denied by name.
- Left over: an agent may use the key patterns of any granted database in every database that it may
  select, and in database 0. Only a server with database rules (`database_rules`) closes that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from autobot_ops.catalog import AccessRight, Agent, Catalogs, Database
from autobot_ops.catalog.patterns import literal_prefix
from autobot_ops.isolation.access_levels import commands_of
from autobot_ops.isolation.binding import selecting
from autobot_ops.isolation.roles import DEFAULT_RULES, DEFAULT_USER, role_rules

ACL_FILE = "redis_users_acl"
"""Name of the secret that holds the rendered file."""

CONNECTION_RULES = (
    "+ping", "+client|id", "+client|info", "+client|setname", "+multi", "+exec", "+discard", "+unwatch",
)  # fmt: skip
"""What every agent may do with its own connection, in no database in particular.

Not CLIENT TRACKING: in its broadcasting mode it tells the names of all keys that change, in every
database, and no rule narrows that.
"""

KEYS_OF_RIGHT = {AccessRight.READ: "%R~", AccessRight.WRITE: "%W~", AccessRight.READ_WRITE: "~"}


def password_rule(password: str) -> str:
    """A password as an ACL rule: its SHA-256, so that the file gives nothing away."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def render_acl(
    catalogs: Catalogs,
    passwords: Mapping[str, tuple[str, ...]],
    *,
    server_databases: int,
    database_rules: bool = False,
) -> str:
    """The ACL file, one line for each user.

    `passwords` maps each agent and each role to its passwords: one, or two while they are rotated.
    KeyError if a user is missing, ValueError if one has none. `server_databases` is Redis' setting
    `databases`. `database_rules` adds what only some servers understand; see `has_database_rules`.
    """
    rules_of = {
        **role_rules(catalogs, server_databases, database_rules=database_rules),
        **{
            name: agent_rules(agent, catalogs, database_rules=database_rules)
            for name, agent in catalogs.agents.items()
        },
    }
    nothing = "resetkeys resetchannels" + " resetdbs" * database_rules
    lines = [f"user {DEFAULT_USER} on nopass {nothing} {' '.join(DEFAULT_RULES)}"]
    for user, rules in rules_of.items():
        if not passwords[user]:
            raise ValueError(f"the user '{user}' has no password")
        hashes = " ".join(map(password_rule, passwords[user]))
        lines.append(f"user {user} on {hashes} {nothing} {rules}")
    return "\n".join(lines) + "\n"


def agent_rules(agent: Agent, catalogs: Catalogs, *, database_rules: bool = False) -> str:
    """An agent's rights: its connection, and one selector for each database that it is granted."""
    selectors = (
        _selector(catalogs.databases[name], right, catalogs, database_rules=database_rules)
        for name, right in agent.databases.items()
    )
    return " ".join(("-@all", *CONNECTION_RULES, *selectors))


def granted_patterns(database: Database) -> tuple[str, ...]:
    """The key patterns that a right on a database covers: those that no other database's keys match.

    One that starts with a wildcard (`*:stats`) says where existing keys belong and grants nothing. It
    matches `cache:1:stats` too, which is a key of `main`, and a server's rules know no exceptions.
    """
    return tuple(pattern for pattern in database.key_patterns if literal_prefix(pattern))


def _selector(database: Database, right: AccessRight, catalogs: Catalogs, *, database_rules: bool) -> str:
    level = catalogs.security_levels[database.security_level].access_control
    keys = (KEYS_OF_RIGHT[right] + pattern for pattern in granted_patterns(database))
    select = selecting([database.number], database_rules=database_rules)
    return f"({' '.join(('-@all', *commands_of(level, right), *select, *keys))})"
