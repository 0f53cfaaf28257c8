"""Writes to a write-heavy database, sent together: many small commands in one round trip.

    logs = redis_db_manager.get_batched_writer("logs")
    await logs.write("RPUSH", "autobot:errors:chat", line)     # acknowledged
    logs.offer("RPUSH", "autobot:errors:chat", line)           # accepted

Acknowledged means: `write` has returned, and what it returned is the server's reply. Nothing that was
acknowledged is lost by this process, whatever happens to it. Accepted means: `offer` returned True,
and the command lies in this process's memory; it is sent within `max_delay` seconds, survives an
unreachable server as long as there is room, and is flushed by `close` and therefore by a SIGTERM that
ends an agent. A crash or SIGKILL loses what is accepted and not sent.

After a lost connection nobody knows whether a batch was executed; accepted commands are sent again,
so each is executed at least once. Use commands that may be repeated, or `write`, whose caller gets
the error and decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError
from redis.exceptions import TimeoutError as RedisTimeoutError

logger = logging.getLogger(__name__)

MAX_COMMANDS = 256
CAPACITY = 10_000
CAPACITY_BYTES = 16 * 1024 * 1024
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
CLOSE_SECONDS = 5.0


class WriterClosed(RuntimeError):
    """A write after `close`, or one that `close` could not wait for."""


@dataclass(slots=True)
class WriterStatistics:
    """Commands since the start. `refused` were offered without room, `failed` the server rejected."""

    accepted: int = 0
    acknowledged: int = 0
    refused: int = 0
    failed: int = 0
    batches: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    command: tuple[Any, ...]
    size: int
    future: asyncio.Future[Any] | None

    def settle(self, reply: Any) -> None:
        # A caller that was cancelled no longer waits.
        if self.future is None or self.future.done():
            return
        if isinstance(reply, Exception):
            self.future.set_exception(reply)
        else:
            self.future.set_result(reply)


class BatchedWriter:
    """For one database and event loop. Commands are executed in the order in which they came.

    While a batch is on its way the next one gathers. An acknowledged write waits for nothing else; only
    accepted ones may wait `max_delay` seconds for company. The buffer is bounded by commands and bytes.
    """

    def __init__(
        self,
        client: Callable[[], redis.asyncio.Redis],
        *,
        max_commands: int = MAX_COMMANDS,
        max_delay: float = 0.0,
        capacity: int = CAPACITY,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        self._client = client
        self._max_commands = max_commands
        self._max_delay = max_delay
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._queue: deque[_Entry] = deque()
        self._batch: list[_Entry] = []
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.statistics = WriterStatistics()

    @property
    def pending(self) -> int:
        """Commands that are accepted and not yet answered."""
        return len(self._queue) + len(self._batch)

    async def write(self, *command: Any) -> Any:
        """Send a command and return its reply; waits for room.

        Raises what the server answered, redis' `ConnectionError` or `TimeoutError` when nobody knows
        whether it was executed, `DataError` for what can't be sent, and `WriterClosed`.
        """
        size = _size(command)
        if not self._has_room(size):
            async with self._changed:
                await self._changed.wait_for(lambda: self._closed or self._has_room(size))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._accept(_Entry(command, size, future))
        self._hurry.set()
        return await future

    def offer(self, *command: Any) -> bool:
        """Accept a command if there is room; False, and counted, if there is none.

        Raises `DataError` for what can't be sent, and `WriterClosed`.
        """
        size = _size(command)
        if not self._has_room(size):
            self.statistics.refused += 1
            return False
        self._accept(_Entry(command, size, None))
        return True

    async def flush(self) -> None:
        """Return when everything that was accepted before now is answered."""
        accepted = self.statistics.accepted
        self._hurry.set()
        async with self._changed:
            await self._changed.wait_for(lambda: self.statistics.accepted - self.pending >= accepted)

    async def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what is left and refuse further writes. What isn't answered in time is lost, and logged."""
        self._closed = True
        try:
            await asyncio.wait_for(self.flush(), timeout)
        except TimeoutError:
            self.statistics.lost += self.pending
            logger.error("%d accepted writes are lost: Redis did not answer in time", self.pending)  # noqa: TRY400
        if self._task is not None:
            self._task.cancel()
        for entry in (*self._batch, *self._queue):
            entry.settle(WriterClosed("the writer was closed before Redis answered"))
        self._queue.clear()
        async with self._changed:
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self.pending:
            return True  # even for one that is larger than the whole buffer
        return self.pending < self._capacity and self._bytes + size <= self._capacity_bytes

    def _accept(self, entry: _Entry) -> None:
        if self._closed:
            raise WriterClosed("this writer is closed")
        self._queue.append(entry)
        self._bytes += entry.size
        self.statistics.accepted += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        if len(self._queue) >= self._max_commands:
            self._hurry.set()

    async def _work(self) -> None:
        """Send batch after batch until nothing is left; the next command starts a new round."""
        pause = 0.0
        while self._queue:
            if pause:
                await asyncio.sleep(pause)
            elif not self._closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), self._max_delay)
            self._hurry.clear()
            if len(self._queue) > self._max_commands:
                self._hurry.set()  # for those that this batch leaves behind
            if await self._send_batch():
                pause = 0.0
            else:
                pause = min(max(FIRST_PAUSE_SECONDS, pause * 2), LONGEST_PAUSE_SECONDS)
            async with self._changed:
                self._changed.notify_all()

    async def _send_batch(self) -> bool:
        """Send one batch; False when the server couldn't be reached, and offers wait in the queue again."""
        self._batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_commands))]
        try:
            pipeline = self._client().pipeline(transaction=False)
            for entry in self._batch:
                pipeline.execute_command(*entry.command)
            replies = await pipeline.execute(raise_on_error=False)
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self._take_back(error)
            return False
        except Exception as error:  # whatever it was, it is the answer to these commands
            replies = [error] * len(self._batch)
        batch, self._batch = self._batch, []
        self.statistics.batches += 1
        for entry, reply in zip(batch, replies, strict=True):
            self._answer(entry, reply)
        return True

    def _take_back(self, error: Exception) -> None:
        batch, self._batch = self._batch, []
        logger.warning("%d writes wait for Redis: %s", len(batch), error)
        for entry in reversed(batch):
            if entry.future is None:
                self._queue.appendleft(entry)
            else:
                self._bytes -= entry.size
                entry.settle(error)

    def _answer(self, entry: _Entry, reply: Any) -> None:
        self._bytes -= entry.size
        if isinstance(reply, Exception):
            self.statistics.failed += 1
            if entry.future is None:
                logger.warning("%s was rejected: %s", entry.command[0], reply)
        else:
            self.statistics.acknowledged += 1
        entry.settle(reply)


def _size(command: tuple[Any, ...]) -> int:
    """Bytes of a command. One part that can't be sent would fail its whole batch: refuse it here."""
    if not command:
        raise DataError("a command has at least a name")
    size = 0
    for part in command:
        if isinstance(part, bool) or not isinstance(part, str | bytes | int | float):
            raise DataError(f"a command consists of text, bytes and numbers, not {type(part).__name__}")
        size += len(part) if isinstance(part, str | bytes) else 8
    return size
