"""A live server as a restore reaches it: as which users, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import redis

from autobot_ops.catalog.models import LAST_CATALOG_NUMBER
from autobot_ops.ports import Dialer
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.errors import ServerLost
from autobot_ops.restore.ledger import Ledger
from autobot_ops.restore.plan import ServerFigures

FIRST_STAGING = LAST_CATALOG_NUMBER + 1


@dataclass(frozen=True)
class RestoreServer:
    """`restore` and `migrate` dial as those users; `loading` is `restore`'s endpoint, `stream` is `backup`'s.

    `databases` is the server's setting of that name; its top number is the ledger.
    """

    restore: Dialer
    migrate: Dialer
    loading: Endpoint
    stream: Endpoint
    databases: int

    @property
    def ledger_number(self) -> int:
        """The top database."""
        return self.databases - 1

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, through a connection that is closed at the end."""
        with self.client(self.ledger_number) as client:
            yield Ledger(client, self.ledger_number)

    @contextmanager
    def client(self, number: int) -> Iterator[Any]:
        """A connection as `restore`; ServerLost where it breaks."""
        with answering(self.restore, number) as client:
            yield client

    def observe(self) -> ServerFigures:
        """Keys and memory, at this moment."""
        with self.client(self.ledger_number) as client:
            information = client.info("everything")
        keys = {
            int(name[2:]): figures["keys"]
            for name, figures in information.items()
            if name.startswith("db") and name[2:].isdigit()
        }
        memory = int(information["used_memory"])
        return ServerFigures(self.databases, keys, memory, int(information["maxmemory"]))

    def clock(self) -> Callable[[], int]:
        """A clock that shows the server's time in milliseconds: expiries are judged by that."""
        with self.client(self.ledger_number) as client:
            before = monotonic()
            micros = int(client.info("server")["server_time_usec"])
        # Late rather than early, by the time that the question took: what seems over is over.
        started = micros // 1000
        return lambda: started + int((monotonic() - before) * 1000)


@contextmanager
def answering(dial: Dialer, number: int) -> Iterator[Any]:
    """A connection to one database, closed at the end; its errors become ServerLost."""
    with dial(number) as client:
        try:
            yield client
        except redis.exceptions.NoPermissionError as error:
            raise ServerLost(
                f"redis doesn't let the tool do its work: {error}",
                hint="inv database.reload brings the users' rights in line.",
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ServerLost(
                f"redis does not answer: {error}",
                hint="inv status says whether it runs; inv restore.list says then what was exchanged.",
            ) from error
