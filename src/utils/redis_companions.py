"""Readers and writers that belong to one event loop: made at first use, closed with the loop's clients."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable

import redis.asyncio

from src.utils.batched_writer import BatchedWriter
from src.utils.cached_reader import CachedReader
from src.utils.read_cache import ReadCache
from src.utils.redis_pools import make_async_client
from src.utils.redis_settings import RedisSettings
from src.utils.redis_tuning import tuning_for

SettingsSource = Callable[[], RedisSettings]
ClientSource = Callable[[str], redis.asyncio.Redis]


class Companions:
    """For one process. What they ask for is looked up at each use, so a new catalog reaches them."""

    def __init__(self, settings: SettingsSource, client: ClientSource) -> None:
        self._settings = settings
        self._client = client
        self._readers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, CachedReader]] = (
            weakref.WeakKeyDictionary()
        )
        self._writers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, BatchedWriter]] = (
            weakref.WeakKeyDictionary()
        )

    def reader(self, database: str) -> CachedReader:
        """The running loop's reader of a database. Raises `UnknownDatabase`."""
        readers = self._readers.setdefault(asyncio.get_running_loop(), {})
        if database not in readers:
            tuning = tuning_for(self._settings().entry(database).access_patterns)
            readers[database] = CachedReader(
                lambda: self._client(database),
                lambda: self._single_connection(database),
                ReadCache() if tuning.read_cache else None,
                reply_timeout=tuning.reply_timeout,
            )
        return readers[database]

    def writer(self, database: str) -> BatchedWriter:
        """The running loop's writer to a database. Raises `UnknownDatabase`."""
        writers = self._writers.setdefault(asyncio.get_running_loop(), {})
        if database not in writers:
            tuning = tuning_for(self._settings().entry(database).access_patterns)
            writers[database] = BatchedWriter(lambda: self._client(database), max_delay=tuning.batch_delay)
        return writers[database]

    async def close(self) -> None:
        """Flush the running loop's writers, then close them and its readers."""
        loop = asyncio.get_running_loop()
        writers = self._writers.pop(loop, {})
        await asyncio.gather(*(writer.close() for writer in writers.values()))
        for reader in self._readers.pop(loop, {}).values():
            await reader.close()

    def forget(self, databases: Iterable[str]) -> None:
        """Let readers of these databases begin anew: number, server or patterns have changed."""
        names = set(databases)
        for loop, readers in list(self._readers.items()):
            for name in names & set(readers):
                reader = readers.pop(name)
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_close_soon, loop, reader)

    def _single_connection(self, database: str) -> redis.asyncio.Redis:
        settings = self._settings()
        # Silence is normal on it: the reader itself decides how long it waits for a reply.
        options = {"max_connections": 1, "socket_timeout": None, "health_check_interval": 0}
        return make_async_client(settings, settings.entry(database), True, options)


def _close_soon(loop: asyncio.AbstractEventLoop, reader: CachedReader) -> None:
    task = loop.create_task(reader.close())
    _closing_tasks.add(task)
    task.add_done_callback(_closing_tasks.discard)


# An event loop keeps only weak references to its tasks.
_closing_tasks: set[asyncio.Task[None]] = set()
