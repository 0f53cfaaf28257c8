"""The server that gets the keys, as three users reach it, and what it understands.

`restore` loads, and may write staging databases only; `migrate` hands keys over from there by MOVE, its only
writing command; `backup` reads the stream. So no user gets a right for this that it doesn't have already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import hiredis

from autobot_ops.migration.connection import Connection, Word
from autobot_ops.migration.errors import MoveRefused
from autobot_ops.migration.server import Observed, information
from autobot_ops.migration.session import Session
from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.errors import UNTOUCHED, NowhereToStage, SameServer

PROBE = b"autobot:migrate:probe"
_A_STRING = b"\x00\x01x"
"""A value as DUMP begins it: the type of a string, its length, a letter."""


@dataclass(frozen=True)
class Abilities:
    """`restore`: RESTORE takes payloads of the source's version. `field_expiry`: fields may expire."""

    restore: bool
    field_expiry: bool


@dataclass(frozen=True)
class Target:
    """`session` is that of a migration inside this server; `loading` is for user `restore`."""

    session: Session
    loading: Endpoint

    def free_number(self, observed: Observed, taken: Collection[int] = ()) -> int:
        """An empty staging database, the highest: a restore takes the lowest. Raises NowhereToStage."""
        with Connection(self.session.commands) as connection:
            for number in sorted(self.session.staging, reverse=True):
                usable = number not in taken and not observed.keys.get(number)
                if usable and not isinstance(connection.ask("SELECT", number), hiredis.ReplyError):
                    return number
        raise NowhereToStage(
            f"{self.session.commands} has no empty database above 15 to load into",
            hint=f"Give it more (its setting `databases`), or empty one. {UNTOUCHED}",
        )

    def claim(self, staging: int, run_id: str) -> None:
        """Mark the staging database as this run's: from now on it isn't empty, so nobody else takes it."""
        with Connection(self.loading, staging) as connection:
            reply = connection.ask("SET", marker(run_id), "")
        if isinstance(reply, hiredis.ReplyError):
            raise MoveRefused(
                f"{self.loading} refuses to be written to: {reply}",
                hint=f"Look into its log, or inv database.reload for rights. {UNTOUCHED}",
            )

    def claimed(self, staging: int, run_id: str) -> bool:
        """Whether a staging database is this run's."""
        with Connection(self.loading, staging) as connection:
            return connection.ask("EXISTS", marker(run_id)) == 1

    def clear(self, staging: int) -> None:
        """Empty a staging database that is ours."""
        self.remove_staged(staging, lambda _: True)

    def abilities(self, version: int, staging: int) -> Abilities:
        """Try it with a key in the staging database, which is gone again when this returns."""
        body = _A_STRING + version.to_bytes(2, "little")
        with Connection(self.loading, staging) as connection:
            payload = body + crc64(body).to_bytes(8, "little")
            tried = connection.ask("RESTORE", PROBE, 0, payload, "REPLACE")
            connection.ask("UNLINK", PROBE)
            # On a key that isn't there: refused as unknown, or answered and without effect.
            fields = connection.ask("HPEXPIREAT", PROBE, 1, "FIELDS", 1, "x")
        refused = isinstance(tried, hiredis.ReplyError)
        if refused and "payload" not in str(tried) and "Bad data format" not in str(tried):
            raise MoveRefused(
                f"{self.loading} refuses RESTORE: {tried}",
                hint=f"Make room, or inv database.reload for its rights. {UNTOUCHED}",
            )
        return Abilities(not refused, not isinstance(fields, hiredis.ReplyError))

    def clock(self) -> Callable[[], int]:
        """A clock that shows the server's time in milliseconds: expiries are judged by that."""
        with Connection(self.session.commands) as connection:
            before = time.monotonic()
            started = int(information(connection)["server_time_usec"]) // 1000
        return lambda: started + int((time.monotonic() - before) * 1000)

    def remove_staged(self, staging: int, wanted: Callable[[bytes], bool]) -> int:
        """Remove these keys from the staging database; how many there were."""
        removed = 0
        with Connection(self.loading, staging) as connection:
            cursor: Word = b"0"
            while True:
                reply = connection.ask("SCAN", cursor, "COUNT", 500)
                if not isinstance(reply, list):
                    raise MoveRefused(
                        f"{self.loading} refuses SCAN: {reply}",
                        hint="inv database.reload brings rights in line.",
                    )
                cursor, names = reply
                gone = [name for name in names if wanted(name)]
                connection.ask_all([("UNLINK", name) for name in gone])
                removed += len(gone)
                if cursor == b"0":
                    return removed


def marker(run_id: str) -> bytes:
    """The key that says whose a staging database is."""
    return b"autobot:migrate:staging:" + run_id.encode()


def identity_of(endpoint: Endpoint, number: int) -> frozenset[str]:
    """The run id and replication ids of a server; nothing where its user may not ask."""
    with Connection(endpoint, number) as connection:
        try:
            facts = information(connection)
        except MoveRefused:
            return frozenset()
    names = ("run_id", "master_replid", "master_replid2")
    return frozenset(facts[name] for name in names if facts.get(name, "0").strip("0"))


def refuse_same_server(source: Collection[str], target: Observed) -> None:
    """SameServer where the two are one, or replicas of one."""
    if {target.identity.run_id, *target.identity.replication_ids} & set(source):
        raise SameServer(
            "the source and the target are the same server, or replicas of the same",
            hint="Inside one server, leave out --source: inv migrate.",
        )
