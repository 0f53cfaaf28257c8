"""What a server says about itself, and whether keys can be moved on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import hiredis

from autobot_ops.errors import RefusedForSafety
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import MoveRefused
from autobot_ops.migration.plan import ServerIdentity


class CannotMove(RefusedForSafety):
    """A server on which no key can be moved: a replica, or one with too few databases."""


@dataclass(frozen=True)
class Observed:
    """A server at one moment. `keys` by database number; `changes` is its count of writes."""

    identity: ServerIdentity
    keys: Mapping[int, int]
    changes: int
    last_save: int
    replication_offset: int

    def changes_since(self, before: Observed) -> int | None:
        """Writes between two looks; None where the count began anew (a save, a restart)."""
        if (self.identity.run_id, self.last_save) != (before.identity.run_id, before.last_save):
            return None
        return self.changes - before.changes


def observe(connection: Connection, numbers: Iterable[int]) -> Observed:
    """Look at the server. Raises CannotMove for a replica, or where a target's number is out of range."""
    for number in sorted(numbers):
        reply = connection.ask("SELECT", number)
        if isinstance(reply, hiredis.ReplyError):
            raise CannotMove(
                f"{connection.endpoint} refuses database {number}: {reply}",
                hint="A server needs 16 databases (its setting `databases`), and the user the right to "
                "select them.",
            )
    connection.number = -1
    connection.select(0)
    facts = information(connection)
    if facts.get("role") == "slave":
        master = f"{facts.get('master_host')}:{facts.get('master_port')}"
        raise CannotMove(
            f"{connection.endpoint} is a replica, nothing can be moved there", hint=f"Its master is {master}."
        )
    return Observed(
        identity=ServerIdentity(
            address=str(connection.endpoint),
            version=facts.get("valkey_version") or facts.get("redis_version", ""),
            run_id=facts.get("run_id", ""),
            replication_ids=tuple(
                facts[name] for name in ("master_replid", "master_replid2") if facts.get(name, "0").strip("0")
            ),
        ),
        keys={
            int(name[2:]): int(value.split(",")[0].partition("=")[2])
            for name, value in facts.items()
            if name.startswith("db") and name[2:].isdigit()
        },
        changes=int(facts.get("rdb_changes_since_last_save", 0)),
        last_save=int(facts.get("rdb_last_save_time", 0)),
        replication_offset=int(facts.get("master_repl_offset", 0)),
    )


def information(connection: Connection) -> Mapping[str, str]:
    """What INFO says. MoveRefused where the user may not ask."""
    reply = connection.ask("INFO")
    if not isinstance(reply, bytes):
        raise MoveRefused(
            f"{connection.endpoint} refuses INFO: {reply}",
            hint="The user needs +info: inv database.reload brings rights in line.",
        )
    pairs = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
    return {name: value.strip() for name, separator, value in pairs if separator}
