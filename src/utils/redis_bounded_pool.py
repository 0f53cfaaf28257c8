"""The pool for asyncio: bounded like redis-py's blocking pool, at the price of the unbounded one.

Redis-py's takes a lock and arms a timer for each command, a quarter of a GET's time. Here whoever finds
a connection free waits for nothing; only those who have to wait are counted against the clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError


class BoundedPool(redis.asyncio.ConnectionPool):
    """At most `max_connections` at a time; callers wait up to `timeout` seconds, in turn, for a free one."""

    def __init__(self, *, max_connections: int, timeout: float, **arguments: Any) -> None:
        super().__init__(max_connections=max_connections, **arguments)
        self._free = asyncio.Semaphore(max_connections)
        self.timeout = timeout

    async def get_connection(self, command_name: str | None = None, *keys: Any, **options: Any) -> Any:
        """A connected connection. Raises redis' `ConnectionError` when none became free in time."""
        if self._free.locked():
            try:
                async with asyncio.timeout(self.timeout):
                    await self._free.acquire()
            except TimeoutError as error:
                raise RedisConnectionError(
                    f"none of {self.max_connections} connections became free within {self.timeout:g} s"
                ) from error
        else:
            await self._free.acquire()
        connection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: redis.asyncio.connection.AbstractConnection) -> None:
        """Give a connection back; the first of those who wait gets it."""
        try:
            await super().release(connection)
        finally:
            self._free.release()
