"""Looking at single keys in database 0 and in their target."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from autobot_ops.migration.connection import Connection
from autobot_ops.migration.routes import SOURCE_NUMBER

_BATCH = 1000


class Found(Enum):
    """Where a key is that a MOVE left alone."""

    TARGET = "already moved"
    NOWHERE = "expired or deleted meanwhile"
    BOTH = "another value has its place"
    SOURCE = "written again meanwhile"
    EQUAL = "the same value is there already"
    REPLACED = "moved, the value that was there was put aside"
    OLDER = "put aside, a newer value is there"


class Inspector:
    """Asks for keys on a connection of its own."""

    def __init__(self, connection: Connection, *, source: int = SOURCE_NUMBER) -> None:
        """`source` is the database that keys come from, 0 or a staging one."""
        self.connection = connection
        self._source = source

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def look(self, keys: Sequence[bytes], number: int) -> list[Found]:
        """Where each key is, of database 0 and the target."""
        places = {(True, True): Found.BOTH, (True, False): Found.SOURCE, (False, True): Found.TARGET}
        found: list[Found] = []
        for at in range(0, len(keys), _BATCH):
            some = keys[at : at + _BATCH]
            # Database 0 first: a key that moves in between is seen twice, never nowhere.
            in_source = self._exist(some, self._source)
            in_target = self._exist(some, number)
            found += [places.get(pair, Found.NOWHERE) for pair in zip(in_source, in_target, strict=True)]
        return found

    def _exist(self, keys: Sequence[bytes], number: int) -> list[bool]:
        self.connection.select(number)
        return [bool(reply) for reply in self.connection.ask_all([("EXISTS", key) for key in keys])]
