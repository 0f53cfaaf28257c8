"""Redis with encrypted values: `EncryptedRedis` and, for asyncio, `AsyncEncryptedRedis`.

    sessions = redis_db_manager.get_encrypted_connection("sessions")
    sessions.hset("session:1", mapping={"user": "ann"})

A view over a client. Values are sealed before they leave and opened when they arrive; keys, fields
of hashes and times to live stay readable, because the server works with them. Signatures are those
of redis-py. What the server would have to see a value for raises `CommandNotEncryptable`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import redis
import redis.asyncio
from redis.exceptions import WatchError

from src.utils.encrypted_commands import EncryptedCommands, Opener, Reply
from src.utils.value_sealer import ValueSealer

# One of redis-py's two pipelines, whose methods it left untyped.
RedisPipeline = Any


class EncryptedRedis(EncryptedCommands):
    """For threads. Share it as you would the client."""

    def __init__(self, client: redis.Redis, sealer: ValueSealer, *, decode_responses: bool = True) -> None:
        super().__init__(sealer, decode_responses)
        _refuse_decoded(client)
        self._client = client

    def _run(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        return opener(self._client.execute_command(*arguments))  # type: ignore[no-untyped-call]  # redis-py left it untyped

    def pipeline(self, transaction: bool = True) -> EncryptedPipeline:
        """Commands sent together; in one transaction unless told otherwise."""
        return EncryptedPipeline(self._client.pipeline(transaction), self.sealer, self.decode_responses)

    def transaction(
        self,
        work: Callable[[EncryptedPipeline], Any],
        *watches: str | bytes,
        value_from_callable: bool = False,
    ) -> Reply:
        """Run `work` with the keys watched, again until nobody changed them; its value or the replies."""
        with self.pipeline() as pipeline:
            while True:
                try:
                    pipeline.watch(*watches)
                    value = work(pipeline)
                    replies = pipeline.execute()
                except WatchError:
                    continue
                return value if value_from_callable else replies


class AsyncEncryptedRedis(EncryptedCommands):
    """For asyncio: the same commands, each to be awaited."""

    def __init__(
        self, client: redis.asyncio.Redis, sealer: ValueSealer, *, decode_responses: bool = True
    ) -> None:
        super().__init__(sealer, decode_responses)
        _refuse_decoded(client)
        self._client = client

    async def _run(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        return opener(await self._client.execute_command(*arguments))  # type: ignore[no-untyped-call]  # redis-py left it untyped

    def pipeline(self, transaction: bool = True) -> AsyncEncryptedPipeline:
        """Commands sent together; in one transaction unless told otherwise."""
        return AsyncEncryptedPipeline(self._client.pipeline(transaction), self.sealer, self.decode_responses)

    async def transaction(
        self,
        work: Callable[[AsyncEncryptedPipeline], Awaitable[Any]],
        *watches: str | bytes,
        value_from_callable: bool = False,
    ) -> Reply:
        """Run `work` with the keys watched, again until nobody changed them; its value or the replies."""
        async with self.pipeline() as pipeline:
            while True:
                try:
                    await pipeline.watch(*watches)
                    value = await work(pipeline)
                    replies = await pipeline.execute()
                except WatchError:
                    continue
                return value if value_from_callable else replies


class _QueuedCommands(EncryptedCommands):
    """What both pipelines share: each queued command's opener waits for its reply."""

    def __init__(self, pipeline: RedisPipeline, sealer: ValueSealer, decode_responses: bool) -> None:
        super().__init__(sealer, decode_responses)
        self._pipeline = pipeline
        self._openers: list[Opener] = []

    def __len__(self) -> int:
        return len(self._openers)

    def multi(self) -> None:
        """End the part of a watched transaction whose commands are answered at once."""
        self._pipeline.multi()

    @property
    def _answers_at_once(self) -> bool:
        return bool(self._pipeline.watching and not self._pipeline.explicit_transaction)

    def _queue(self, arguments: tuple[Any, ...], opener: Opener) -> Self:
        self._pipeline.execute_command(*arguments)
        self._openers.append(opener)
        return self

    def _take_openers(self) -> list[Opener]:
        openers, self._openers = self._openers, []
        return openers


class EncryptedPipeline(_QueuedCommands):
    """`with view.pipeline() as pipeline: …; pipeline.execute()`."""

    def _run(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        if self._answers_at_once:
            return opener(self._pipeline.execute_command(*arguments))
        return self._queue(arguments, opener)

    def watch(self, *names: str | bytes) -> bool:
        """Let `execute` raise `WatchError` when somebody changes one of the keys."""
        return bool(self._pipeline.watch(*names))

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send everything; the replies in order. An error is raised, or stands in its reply's place."""
        openers = self._take_openers()
        return _opened(openers, self._pipeline.execute(raise_on_error), raise_on_error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_openers()
        self._pipeline.reset()


class AsyncEncryptedPipeline(_QueuedCommands):
    """`async with view.pipeline() as pipeline: …; await pipeline.execute()`."""

    def _run(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        if self._answers_at_once:
            return self._answer(arguments, opener)
        return self._queue(arguments, opener)

    async def _answer(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        return opener(await self._pipeline.execute_command(*arguments))

    async def watch(self, *names: str | bytes) -> bool:
        """Let `execute` raise `WatchError` when somebody changes one of the keys."""
        return bool(await self._pipeline.watch(*names))

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send everything; the replies in order. An error is raised, or stands in its reply's place."""
        openers = self._take_openers()
        return _opened(openers, await self._pipeline.execute(raise_on_error), raise_on_error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_openers()
        await self._pipeline.reset()


def _opened(openers: list[Opener], replies: list[Any], raise_on_error: bool) -> list[Any]:
    opened = []
    for opener, reply in zip(openers, replies, strict=True):
        if isinstance(reply, Exception):
            opened.append(reply)
            continue
        try:
            opened.append(opener(reply))
        except Exception as error:
            if raise_on_error:
                raise
            opened.append(error)
    return opened


def _refuse_decoded(client: redis.Redis | redis.asyncio.Redis) -> None:
    # Redis-py would try to read ciphertext as UTF-8, and fail far away from here.
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise TypeError("an encrypted view needs a client with decode_responses=False")
