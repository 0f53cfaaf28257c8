"""Reads of a read-heavy database, answered from memory until the server says that the key changed.

    prompts = redis_db_manager.get_cached_reader("prompts")
    text = await prompts.get("prompt:summary")

Redis' client-side caching in its default mode, over RESP3: one connection of its own sends the reads
that miss, and the server announces changes of what was read on that same connection. Replies and
announcements so come in one order, and a reply can't outlive the announcement that follows it.
(Redis-py's own cache needs Redis 7.4 and has no asyncio; broadcast mode would tell this connection
the names of all keys of all databases.)

What a reader sees after somebody's write: the new value, as soon as the announcement has come, which
takes about as long as a reply. For a read after one's own write, `await settle()` in between. While
the connection is lost, reads go to the server. A user without `+client|tracking` is told nothing:
then a reply is kept for `UNTRACKED_SECONDS` at most, counted from before the server was asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from src.utils.read_cache import MISS, Command, ReadCache

logger = logging.getLogger(__name__)

# After so long a silence the connection has to prove itself by a reply before the cache is used again.
PROOF_SECONDS = 5.0
# A connection that could not be made is not tried again by every read.
RETRY_SECONDS = 1.0
RETRY_WITHOUT_PERMISSION_SECONDS = 60.0
# How old an answer may be where the server announces nothing.
UNTRACKED_SECONDS = 1.0

# What our handlers return, so that a call of read_response tells an announcement from a reply.
_ANNOUNCEMENT = object()

ClientSource = Callable[[], redis.asyncio.Redis]


class CachedReader:
    """For one database and event loop. Without a cache every read goes to the server."""

    def __init__(
        self, plain: ClientSource, dedicated: ClientSource, cache: ReadCache | None, *, reply_timeout: float
    ) -> None:
        """`plain` gives the shared client, `dedicated` a new one for a single connection without timeout."""
        self._plain = plain
        self._dedicated = dedicated
        self.cache = cache
        self._reply_timeout = reply_timeout
        self._tracked: _TrackedConnection | None = None
        self._connecting = asyncio.Lock()
        self._not_before = 0.0
        self._denied = False
        self._settled = 0

    async def get(self, name: str | bytes) -> Any:
        """The string, or None."""
        return await self.read("GET", name)

    async def mget(self, keys: Iterable[str | bytes]) -> list[Any]:
        """The strings in order; those that miss are asked for together."""
        commands = [("GET", key) for key in keys]
        replies = [self._remembered(command) for command in commands]
        missing = [place for place, reply in enumerate(replies) if reply is MISS]
        asked = await asyncio.gather(*(self._ask(commands[place]) for place in missing))
        for place, reply in zip(missing, asked, strict=True):
            replies[place] = reply
        return replies

    async def hget(self, name: str | bytes, key: str | bytes) -> Any:
        """One field, or None."""
        return await self.read("HGET", name, key)

    async def hgetall(self, name: str | bytes) -> Any:
        """Every field."""
        return await self.read("HGETALL", name)

    async def lrange(self, name: str | bytes, start: int, end: int) -> Any:
        """Part of a list."""
        return await self.read("LRANGE", name, start, end)

    async def smembers(self, name: str | bytes) -> Any:
        """A set."""
        return await self.read("SMEMBERS", name)

    async def read(self, *command: Any) -> Any:
        """Any read command whose second part is its only key. Errors of the server are raised."""
        reply = self._remembered(command)
        return await self._ask(command) if reply is MISS else reply

    async def settle(self) -> None:
        """Return when every change that the server made before now has arrived here."""
        tracked = self._tracked
        self._settled += 1
        if self._denied and self.cache is not None:
            self.cache.forget(None)
        if tracked is not None and tracked.alive:
            try:
                await tracked.ask(("PING",), self._reply_timeout)
            except (RedisConnectionError, RedisTimeoutError, OSError):
                self._give_up()

    async def close(self) -> None:
        """Forget everything and close the connection; a later read makes a new one."""
        tracked, self._tracked = self._tracked, None
        if self.cache is not None:
            self.cache.forget(None)
        if tracked is not None:
            await tracked.close()

    def _remembered(self, command: Command) -> Any:
        if self.cache is None:
            return MISS
        if self._denied or (self._tracked is not None and self._tracked.proven):
            return self.cache.get(command)
        self.cache.statistics.misses += 1
        return MISS

    async def _ask(self, command: Command) -> Any:
        tracked = self._tracked
        try:
            if tracked is None or not tracked.alive:
                tracked = await self._connect()
            if tracked is not None:
                return await tracked.ask(command, self._reply_timeout)
        except (RedisConnectionError, RedisTimeoutError, OSError):
            self._give_up()
        asked, settled = time.monotonic(), self._settled
        reply = await self._plain().execute_command(*command)  # type: ignore[no-untyped-call]
        if self._denied and self.cache is not None and settled == self._settled:
            self.cache.put(command, reply, UNTRACKED_SECONDS - (time.monotonic() - asked))
        return reply

    def _give_up(self) -> None:
        self._not_before = time.monotonic() + RETRY_SECONDS
        if self._tracked is not None:
            self._tracked.fail(RedisConnectionError("the connection for cached reads was lost"))

    async def _connect(self) -> _TrackedConnection | None:
        """The connection, or None while none can be had."""
        if self.cache is None:
            return None
        async with self._connecting:
            if self._tracked is not None and self._tracked.alive:
                return self._tracked
            if time.monotonic() < self._not_before:
                return None
            self.cache.forget(None)
            if self._tracked is not None:
                await self._tracked.close()
            try:
                self._tracked = await _TrackedConnection.open(self._dedicated(), self.cache)
            except NoPermissionError as error:
                self._not_before = time.monotonic() + RETRY_WITHOUT_PERMISSION_SECONDS
                if not self._denied:
                    logger.warning("reads are cached for %g s: %s", UNTRACKED_SECONDS, error)
                self._denied = True
                return None
            self._denied = False
            return self._tracked


class _TrackedConnection:
    """One connection on which the server announces changes; replies are handed out in order."""

    def __init__(self, client: redis.asyncio.Redis, connection: Any, cache: ReadCache) -> None:
        self._client = client
        self._connection = connection
        self._cache = cache
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._sending = asyncio.Lock()
        self._heard = time.monotonic()
        self.alive = True
        # Redis-py has no public way to hear announcements.
        connection._parser.set_invalidation_push_handler(self._invalidate)
        connection._parser.set_pubsub_push_handler(self._ignore)
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, client: redis.asyncio.Redis, cache: ReadCache) -> _TrackedConnection:
        """Connect and ask for announcements. Raises redis-py's errors."""
        connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_command("CLIENT", "TRACKING", "ON")
            await connection.read_response()
        except BaseException:
            await connection.disconnect()
            raise
        return cls(client, connection, cache)

    @property
    def proven(self) -> bool:
        """Whether it was heard of lately, so that silence means that nothing changed."""
        return self.alive and time.monotonic() - self._heard < PROOF_SECONDS

    async def ask(self, command: Command, reply_timeout: float) -> Any:
        """Send a command and wait for its reply, which the cache then has."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with self._sending:
            if not self.alive:
                raise RedisConnectionError("the connection for cached reads was lost")
            self._waiting.append((command, future))
            await self._connection.send_command(*command, check_health=False)
        try:
            return await asyncio.wait_for(future, reply_timeout)
        except TimeoutError as error:
            raise RedisTimeoutError("no reply to a cached read") from error

    def fail(self, error: Exception) -> None:
        """Never use it again; whoever waits gets the error."""
        self.alive = False
        self._cache.forget(None)
        if asyncio.current_task() is not self._reading:
            self._reading.cancel()
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    async def close(self) -> None:
        """Fail whoever waits and close the socket."""
        self.fail(RedisConnectionError("the connection for cached reads was closed"))
        await self._connection.disconnect()

    async def _read(self) -> None:
        try:
            while True:
                try:
                    # One announcement a call: otherwise redis-py calls itself for each that follows.
                    reply: Any = await self._connection.read_response(push_request=True)
                except ResponseError as error:
                    reply = error
                if reply is not _ANNOUNCEMENT:
                    self._hand_out(reply)
        except (RedisError, OSError) as error:
            self.fail(RedisConnectionError(f"the connection for cached reads was lost: {error}"))
            await self._connection.disconnect()

    def _hand_out(self, reply: Any) -> None:
        self._heard = time.monotonic()
        command, future = self._waiting.popleft()
        if isinstance(reply, Exception):
            if not future.done():
                future.set_exception(reply)
            return
        callback = self._client.response_callbacks.get(command[0])
        value = callback(reply) if callback is not None else reply
        if len(command) > 1:
            # Here and not where the caller waits: an announcement that follows must find the reply.
            self._cache.put(command, value)
        if not future.done():
            future.set_result(value)

    async def _invalidate(self, message: list[Any]) -> object:
        self._heard = time.monotonic()
        self._cache.forget(message[1])
        return _ANNOUNCEMENT

    async def _ignore(self, _message: list[Any]) -> object:
        return _ANNOUNCEMENT
