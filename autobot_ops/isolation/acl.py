"""The users of Redis, rendered from the catalogs. Pure: no Redis, no files, no printing.

Rules that hold on Redis 7.0 (each is tried by tests/component/test_acl.py):
- SELECT alone isolates nothing: a connection that never selects works in database 0, and COPY, MOVE
  and SWAPDB reach across. Key patterns close that, and those commands are denied.
- Each granted database is one selector: its key patterns, its commands, its SELECT. So a command
  with several keys stays inside one database's patterns, and each level can have its own commands.
- Patterns don't hold back commands without keys (SCAN, DBSIZE, RANDOMKEY, …): those are denied by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from autobot_ops.catalog import AccessRight, Agent, Catalogs, Database
from autobot_ops.catalog.models import AccessControl

ACL_FILE = "redis_users_acl"
"""Name of the secret that holds the rendered file."""

CONNECTION_RULES = (
    "+ping", "+echo", "+hello", "+auth", "+quit", "+reset",
    "+client|id", "+client|info", "+client|getname", "+client|setname",
    "+acl|whoami", "+multi", "+exec", "+discard", "+unwatch",
)  # fmt: skip
"""What every agent may do with its own connection, in no database in particular."""

REACHES_OUT_OF_KEY_PATTERNS = (
    "-keys", "-scan", "-randomkey", "-dbsize",          # look at a whole database
    "-move", "-copy", "-swapdb", "-migrate",            # reach into other databases or servers
    "-sort", "-sort_ro",                                # read keys that their arguments don't name
    "-flushdb", "-flushall", "-restore", "-wait", "-lolwut",
)  # fmt: skip
"""Denied by name, so that no change of a category in a later server lets one in."""

DATA_COMMANDS = (
    "+@read", "+@write", "+watch", "-@dangerous", "-@admin", "-@scripting", "-@pubsub",
    *REACHES_OUT_OF_KEY_PATTERNS,
)  # fmt: skip

COMMANDS_OF_LEVEL: Mapping[AccessControl, tuple[str, ...]] = {
    AccessControl.STRICT: DATA_COMMANDS,
    AccessControl.MODERATE: DATA_COMMANDS,
    AccessControl.BASIC: DATA_COMMANDS,
}
"""What a database's access control allows inside its key patterns."""

SELECTOR_OF_RIGHT = {AccessRight.READ: "%R~", AccessRight.WRITE: "%W~", AccessRight.READ_WRITE: "~"}

ROLE_RULES: Mapping[str, tuple[str, ...]] = {
    # Everything but what would lock people out, load code into the server or send the data elsewhere.
    "operator": (
        "~*", "&*", "+@all", "-acl|setuser", "-acl|deluser", "-acl|save", "-config|rewrite", "-shutdown",
        "-debug", "-module", "-replicaof", "-slaveof", "-failover", "-cluster", "-migrate",
        "-sync", "-psync", "-replconf",
    ),
    # Figures, and no key.
    "monitor": (
        "-@all", "+ping", "+hello", "+auth", "+info", "+client|id", "+client|list", "+client|setname",
        "+latency|latest", "+latency|history", "+slowlog|get", "+slowlog|len", "+memory|stats",
    ),
    # The replication stream and nothing else; it can read all data by nature, so guard its password most.
    "backup": ("-@all", "+ping", "+auth", "+replconf", "+sync", "+psync"),
}  # fmt: skip
"""Users that aren't agents, with the least that each needs."""


def password_rule(password: str) -> str:
    """A password as an ACL rule: its SHA-256, so that the file gives nothing away."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def render_acl(catalogs: Catalogs, passwords: Mapping[str, str]) -> str:
    """The ACL file. `passwords` maps each agent and each role to its password; KeyError if one is missing.

    `default` is who one is without a password: it may PING, so that health checks need no secret.
    """
    lines = ["user default on nopass resetkeys resetchannels -@all +ping"]
    for role, rules in ROLE_RULES.items():
        lines.append(_user(role, passwords[role], rules))
    for name, agent in catalogs.agents.items():
        lines.append(_user(name, passwords[name], agent_rules(agent, catalogs)))
    return "\n".join(lines) + "\n"


def agent_rules(agent: Agent, catalogs: Catalogs) -> tuple[str, ...]:
    """An agent's rights: its connection, and one selector for each database that it is granted."""
    selectors = (
        _selector(catalogs.databases[name], right, catalogs) for name, right in agent.databases.items()
    )
    return ("-@all", *CONNECTION_RULES, *selectors)


def _user(name: str, password: str, rules: tuple[str, ...]) -> str:
    return " ".join(("user", name, "on", password_rule(password), "resetkeys", "resetchannels", *rules))


def _selector(database: Database, right: AccessRight, catalogs: Catalogs) -> str:
    level = catalogs.security_levels[database.security_level].access_control
    keys = (SELECTOR_OF_RIGHT[right] + pattern for pattern in database.key_patterns)
    rules = ("-@all", *COMMANDS_OF_LEVEL[level], f"+select|{database.number}", *keys)
    return f"({' '.join(rules)})"
