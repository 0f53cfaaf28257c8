"""Writes of a write-heavy database, collected and sent together, for asyncio.

The caller never waits and never fails: figures and log lines must not hold up the work that they
tell about. What the database can't take in time is dropped, the oldest first, and counted.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

logger = logging.getLogger(__name__)

Argument = str | bytes | int | float
_Command = tuple[str, tuple[Argument, ...]]

BATCH_COMMANDS = 200
# How long a write may wait for company.
BATCH_SECONDS = 0.5
MOST_WAITING = 10_000
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class WriterStatistics:
    """Counts since the start: commands that were carried out, refused by Redis, or dropped unsent."""

    written: int = 0
    refused: int = 0
    dropped: int = 0


class BatchWriter:
    """`async with BatchWriter(...) as writer:`; leaving the block sends what is left.

    A batch whose answer is lost is sent again, so a command may be carried out twice: use commands
    that can be repeated (SET, HSET, ZADD), or accept a line too many (XADD, RPUSH).
    """

    def __init__(
        self,
        client: Callable[[], redis.asyncio.Redis],
        *,
        batch_commands: int = BATCH_COMMANDS,
        batch_seconds: float = BATCH_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._client = client
        self._batch_commands = batch_commands
        self._batch_seconds = batch_seconds
        self._most_waiting = most_waiting
        self._waiting: deque[_Command] = deque()
        self._lock = threading.Lock()
        self._sender: asyncio.Task[None] | None = None
        self.statistics = WriterStatistics()

    def put(self, command: str, *arguments: Argument) -> None:
        """Add a command. Returns at once, from any thread, whether Redis is there or not."""
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                self._waiting.popleft()
                self.statistics.dropped += 1
            self._waiting.append((command, arguments))

    async def __aenter__(self) -> BatchWriter:
        self._sender = asyncio.create_task(self._send_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        try:
            await self.flush()
        except RedisError as error:
            self.statistics.dropped += len(self._waiting)
            logger.warning("%d writes are lost: %s", len(self._waiting), error)

    async def flush(self) -> None:
        """Send everything that waits. Raises redis-py's errors; what wasn't sent still waits then."""
        while batch := self._take():
            try:
                await self._send(batch)
            except (RedisConnectionError, RedisTimeoutError, asyncio.CancelledError):
                self._give_back(batch)
                raise

    async def _send_for_ever(self) -> None:
        pause = self._batch_seconds
        while True:
            await asyncio.sleep(pause)
            try:
                await self.flush()
                pause = self._batch_seconds
            except RedisError as error:
                pause = min(max(pause, self._batch_seconds) * 2, LONGEST_PAUSE_SECONDS)
                logger.warning("writes wait for Redis: %s", error, extra={"waiting": len(self._waiting)})

    async def _send(self, batch: list[_Command]) -> None:
        async with self._client().pipeline(transaction=False) as pipeline:
            for command, arguments in batch:
                pipeline.execute_command(command, *arguments)
            results = await pipeline.execute(raise_on_error=False)
        # One wrong command doesn't take the others with it.
        refused = [result for result in results if isinstance(result, ResponseError)]
        if refused:
            logger.error("%d writes were refused, the first: %s", len(refused), refused[0])
        self.statistics.refused += len(refused)
        self.statistics.written += len(results) - len(refused)

    def _take(self) -> list[_Command]:
        with self._lock:
            count = min(len(self._waiting), self._batch_commands)
            return [self._waiting.popleft() for _ in range(count)]

    def _give_back(self, batch: list[_Command]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            # New ones may have come meanwhile; the oldest go.
            while len(self._waiting) > self._most_waiting:
                self._waiting.popleft()
                self.statistics.dropped += 1
