"""Look at a live Redis server: what is in each database, who is connected, what rules hold.

Reads only, and never with a command that stops the server for long: keys are sampled, or walked
with SCAN when every one is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.ports import Dialer

SAMPLED_KEYS = 200
"""Keys of each database that a sample looks at."""

SCAN_COUNT = 1000


class RedisUnreachable(ServiceUnreachable):
    """The Redis server does not answer, or refuses the operator."""


@dataclass(frozen=True)
class KeyspaceFigures:
    """Of one database: keys, and how many of them have a time to live."""

    keys: int
    expiring: int


@dataclass(frozen=True)
class ServerState:
    """What a check needs to know of the server, as read once."""

    version: str
    databases: int
    maxmemory: int
    maxmemory_policy: str
    used_memory: int
    keyspace: Mapping[int, KeyspaceFigures]
    connections: Mapping[int, int]

    @property
    def memory_percent(self) -> float:
        """Used share of maxmemory; 0 where no limit is set."""
        return 100 * self.used_memory / self.maxmemory if self.maxmemory else 0.0


def observe(dial: Dialer) -> ServerState:
    """Read the server's state as the operator. Raises RedisUnreachable."""
    with _connected(dial, 0) as client:
        information: dict[str, Any] = client.info()
        config = client.config_get("maxmemory", "maxmemory-policy", "databases")
        clients = client.client_list()
    return ServerState(
        version=str(information["redis_version"]),
        databases=int(str(config["databases"])),
        maxmemory=int(str(config["maxmemory"])),
        maxmemory_policy=str(config["maxmemory-policy"]),
        used_memory=int(information["used_memory"]),
        keyspace={
            int(name[2:]): KeyspaceFigures(figures["keys"], figures["expires"])
            for name, figures in information.items()
            if name.startswith("db") and name[2:].isdigit()
        },
        connections=Counter(int(each["db"]) for each in clients),
    )


def sample_keys(dial: Dialer, number: int) -> Iterator[bytes]:
    """Up to SAMPLED_KEYS distinct keys of a database, at random."""
    with _connected(dial, number) as client:
        pipeline = client.pipeline(transaction=False)
        for _ in range(SAMPLED_KEYS):
            pipeline.randomkey()
        yield from dict.fromkeys(key for key in pipeline.execute() if key is not None)


def walk_keys(dial: Dialer, number: int) -> Iterator[bytes]:
    """Every key of a database, by SCAN: a key that stays is seen, one may be seen twice."""
    with _connected(dial, number) as client:
        yield from client.scan_iter(count=SCAN_COUNT)


def estimate_memory(dial: Dialer, number: int, keys: int) -> int:
    """Bytes of a database: the mean of a sample, times its keys. Redis has no exact figure."""
    sample = list(sample_keys(dial, number))
    if not sample:
        return 0
    with _connected(dial, number) as client:
        pipeline = client.pipeline(transaction=False)
        for key in sample:
            pipeline.memory_usage(key, samples=5)
        sizes = [size for size in pipeline.execute() if size is not None]
    return round(sum(sizes) / len(sizes) * keys) if sizes else 0


class _connected:  # noqa: N801 - used like a function
    """A connection to one database that is closed at the end; its errors become ours."""

    def __init__(self, dial: Dialer, number: int) -> None:
        self._client = dial(number)

    def __enter__(self) -> redis.Redis:
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.close()
        if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
            raise RedisUnreachable(
                f"redis refuses the operator: {error}", hint="Load the rendered rules: inv database.reload"
            ) from error
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            raise RedisUnreachable(
                f"redis does not answer: {error}", hint="Is the stack up? See: inv status"
            ) from error
