"""Values of a read-heavy database kept in this process, for asyncio.

Where the user may, the server tells us about every change (RESP3 client tracking, broadcast for the
database's key prefixes): a value is then as fresh as the network is fast. Agents may not: the same
command would tell them the names of everybody's keys. For them a value is kept for
`untracked_seconds`, which bounds how old an answer can be. Which of the two holds is found out by
trying, and is shown by `tracking`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import NoPermissionError, RedisError

logger = logging.getLogger(__name__)

MOST_KEYS = 10_000
# How long a value may be served while the server tells us about changes: a net, should it forget to.
TRACKED_SECONDS = 60.0
UNTRACKED_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
# A connection that died without a word is noticed within this time, and until then its values are
# believed.
PING_SECONDS = 5.0


@dataclass(slots=True)
class CacheStatistics:
    """Counts since the start."""

    hits: int = 0
    misses: int = 0
    invalidations: int = 0


class ReadCache:
    """`async with ReadCache(...) as cache:` reads through the cache inside the block.

    `client` gives the database's client; `prefixes` are the literal prefixes of its key patterns.
    Another process' write is seen when the server has told us, or when the value's time is over. After
    a write of your own call `forget(key)`.
    """

    def __init__(
        self,
        client: Callable[[], redis.asyncio.Redis],
        prefixes: Sequence[str],
        *,
        most_keys: int = MOST_KEYS,
        tracked_seconds: float = TRACKED_SECONDS,
        untracked_seconds: float = UNTRACKED_SECONDS,
    ) -> None:
        self._client = client
        self._prefixes = tuple(prefixes)
        self._most_keys = most_keys
        self._tracked_seconds = tracked_seconds
        self._untracked_seconds = untracked_seconds
        self._values: OrderedDict[str, dict[str, tuple[float, Any]]] = OrderedDict()
        self._reading: dict[str, set[object]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self.tracking = False
        self.statistics = CacheStatistics()

    async def __aenter__(self) -> ReadCache:
        self._listener = asyncio.create_task(self._listen())
        # Until it is known whether the server tells us, nothing would be kept for long.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), RECONNECT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self._forget_all()

    async def get(self, key: str) -> Any:
        """The string at `key`, or None."""
        return await self._through("get", key, lambda: self._client().get(key))

    async def hgetall(self, key: str) -> dict[Any, Any]:
        """The hash at `key`, empty if there is none. A copy: changing it changes nothing here."""
        fields: dict[Any, Any] = await self._through("hgetall", key, lambda: self._client().hgetall(key))
        return dict(fields)

    def forget(self, key: str) -> None:
        """Don't answer this key from memory any more, nor keep what is being read of it."""
        self._values.pop(key, None)
        self._reading.pop(key, None)

    async def _through(self, command: str, key: str, read: Callable[[], Awaitable[Any]]) -> Any:
        until, value = self._values.get(key, {}).get(command, (-math.inf, None))
        if time.monotonic() < until:
            self.statistics.hits += 1
            self._values.move_to_end(key)
            return value
        self.statistics.misses += 1
        # A change that is told while the reply is on its way takes this mark away: the reply may be
        # older than the change and isn't kept.
        mark = object()
        self._reading.setdefault(key, set()).add(mark)
        try:
            value = await read()
        finally:
            unchanged = mark in self._reading.get(key, ())
            if unchanged:
                self._reading[key].discard(mark)
                if not self._reading[key]:
                    del self._reading[key]
        if unchanged:
            self._keep(command, key, value)
        return value

    def _keep(self, command: str, key: str, value: Any) -> None:
        seconds = self._tracked_seconds if self.tracking else self._untracked_seconds
        self._values.setdefault(key, {})[command] = (time.monotonic() + seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._most_keys:
            self._values.popitem(last=False)

    def _forget_all(self) -> None:
        self._values.clear()
        self._reading.clear()

    async def _listen(self) -> None:
        """Keep one connection on which the server tells us; without it everything is forgotten."""
        while True:
            try:
                await self._listen_once()
            except NoPermissionError:
                logger.info("this user may not be told about changes; values are kept for a moment only")
                self._settled.set()
                return
            except (RedisError, OSError) as error:
                logger.debug("no connection to be told about changes: %s", error)
            finally:
                self.tracking = False
                self._forget_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        # One of the pool's connections, so that the database's bound holds for it as well.
        pool: Any = self._client().connection_pool
        connection = await pool.get_connection()
        try:
            # redis-py's own cache sets its handler the same way; there is no public one.
            connection._parser.set_invalidation_push_handler(self._invalidated)
            prefixes = [word for prefix in self._prefixes for word in ("PREFIX", prefix)]
            await connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)
            await connection.read_response()
            self._forget_all()
            self.tracking = True
            self._settled.set()
            while True:
                await self._wait_for_changes(connection)
        finally:
            # Its tracking must not go back into the pool with it.
            await connection.disconnect()
            await pool.release(connection)

    async def _wait_for_changes(self, connection: Any) -> None:
        """Take in what the server tells; ask for a sign of life when it tells nothing."""
        try:
            await connection.read_response(timeout=PING_SECONDS, push_request=True, disconnect_on_error=False)
        except redis.exceptions.TimeoutError:
            await connection.send_command("PING", check_health=False)
            # Changes that are told before the PONG are taken in on the way.
            await connection.read_response(timeout=PING_SECONDS)

    async def _invalidated(self, message: Sequence[Any]) -> None:
        self.statistics.invalidations += 1
        keys = message[1]
        if keys is None:  # a whole database was emptied
            self._forget_all()
            return
        for key in keys:
            self.forget(key.decode(errors="replace") if isinstance(key, bytes) else str(key))


def literal_prefixes(patterns: Sequence[str]) -> list[str]:
    """Where the key patterns of a database begin; the server refuses prefixes that overlap."""
    found = sorted({pattern.split("*")[0].split("?")[0].split("[")[0] for pattern in patterns})
    return [prefix for place, prefix in enumerate(found) if not prefix.startswith(tuple(found[:place]))]
