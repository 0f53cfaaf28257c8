"""Users of Redis that aren't agents, each with the least that its work needs. Pure.

The tool's own: `operator`, `migrate`, `restore` and `backup`; `monitor` is the exporter's; `default`
is whoever gave no password. The operator may change users, so no rule can hold a person with its
password back: its rules keep mistakes from becoming losses.
"""

from __future__ import annotations

from collections.abc import Mapping

from autobot_ops.catalog import Catalogs
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER
from autobot_ops.isolation.binding import everywhere, only_in, selecting

DEFAULT_USER = "default"

DEFAULT_RULES = ("-@all", "+ping")
"""So that a health check needs no password."""

READS_EVERY_KEY = ("~*", "+@read", "-@dangerous", "-@scripting", "-sort_ro", "-lolwut")

OPERATOR = (
    # A person's commands on data, in every database.
    "~*", "+@read", "+@write", "+@connection", "+@transaction", "-@dangerous", "-@scripting",
    "+keys", "+sort", "+flushdb",
    # Looking at the server.
    "+info", "+role", "+lastsave", "+config|get", "+client|list", "+memory|stats", "+memory|doctor",
    "+slowlog|get", "+slowlog|len", "+slowlog|reset", "+latency|latest", "+latency|history",
    # Users and certificates change while the server runs. Not ACL LOAD: Redis 7.0 disconnects everybody.
    "+acl|setuser", "+acl|deluser", "+acl|list", "+acl|users", "+acl|getuser", "+acl|whoami", "+acl|log",
    "+acl|dryrun", "+acl|cat", "+config|set", "+client|kill",
)  # fmt: skip
"""No FLUSHALL, SWAPDB, SHUTDOWN, DEBUG, MODULE, REPLICAOF, MIGRATE or CONFIG REWRITE, and no scripts."""

MONITOR = (
    "+ping", "+info", "+client|id", "+client|list", "+client|setname", "+latency|latest", "+latency|history",
    "+slowlog|len", "+memory|stats",
)  # fmt: skip
"""Figures, and no key. Not SLOWLOG GET either: it shows the values of the commands that were slow."""

BACKUP = ("+replconf", "+sync")
"""The replication stream and nothing else. It carries all data by nature: guard this password most."""

MIGRATE = (*READS_EVERY_KEY, "+ping", "+move", "+multi", "+exec", "+info", "+client|list")
"""Its only writing command is MOVE, which changes no value and overwrites none.

In the staging databases too: a restore of some keys exchanges them by MOVE, two in one transaction. CLIENT
LIST names the clients that still write legacy keys.
"""

RESTORE = (
    *READS_EVERY_KEY, "+ping", "+info", "+restore", "+flushdb", "+unlink",
    # An exchange and its record in the ledger, the top database, are one transaction.
    "+multi", "+exec",
    # A huge value is written piece by piece with its type's own commands.
    "+set", "+append", "+rpush", "+sadd", "+hset", "+zadd", "+pexpireat",
    "+xadd", "+xsetid", "+xgroup|create", "+xgroup|createconsumer", "+xclaim",
)  # fmt: skip
"""Fills staging databases, and puts them in the place of others with SWAPDB."""


def role_rules(catalogs: Catalogs, server_databases: int, *, database_rules: bool) -> Mapping[str, str]:
    """Rules of each role, to be applied to a user that has none.

    `server_databases` is Redis' setting `databases`; the numbers above the catalog's are for staging, the
    top one of them is the ledger of restores.
    Without database rules a connection that never selects works in database 0: there FLUSHDB of
    `restore` reaches `main`.
    """
    numbers = [row.number for row in catalogs.databases.values()]
    staging = range(LAST_CATALOG_NUMBER + 1, server_databases)
    swap_anywhere = ("-@all", "+swapdb", *only_in(range(server_databases), database_rules=database_rules))
    return {
        "operator": _rules(*OPERATOR, *everywhere(database_rules=database_rules)),
        "monitor": _rules(*MONITOR),
        "backup": _rules(*BACKUP),
        "migrate": _rules(*MIGRATE, *selecting([*numbers, *staging[:-1]], database_rules=database_rules)),
        "restore": _rules(*RESTORE, *selecting(staging, database_rules=database_rules))
        + f" ({' '.join(swap_anywhere)})",
    }


def _rules(*rules: str) -> str:
    return " ".join(("-@all", *rules))
