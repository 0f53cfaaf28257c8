"""Redis databases by name: `RedisDatabaseManager`, `RedisDatabase` and the shared `redis_db_manager`.

    from src.utils.redis_database_manager import redis_db_manager
    facts = redis_db_manager.get_connection("knowledge")
    sessions = await redis_db_manager.get_async_connection(RedisDatabase.SESSIONS)

Importing this module reads no file and opens no connection; the first use does. Clients are shared:
one bounded pool per database, kind (decoded or raw replies) and process, and for asyncio per event
loop. Don't close a client that you were given; `close_all_connections` closes them all.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import redis
import redis.asyncio

from src.errors import ConfigurationInvalid, nearest_match_hint
from src.utils.batched_writer import BatchedWriter
from src.utils.cached_reader import CachedReader
from src.utils.encrypted_redis import AsyncEncryptedRedis, EncryptedRedis
from src.utils.key_ring import KeyRingFile
from src.utils.redis_companions import Companions
from src.utils.redis_inspection import SeparationReport, describe_databases, inspect_separation
from src.utils.redis_pools import make_async_client, make_client
from src.utils.redis_settings import DatabaseEntry, RedisSettings, load_redis_settings
from src.utils.value_sealer import ValueSealer

logger = logging.getLogger(__name__)

ClientKey = tuple[str, bool, frozenset[tuple[str, Any]]]
_NO_OPTIONS: frozenset[tuple[str, Any]] = frozenset()


class RedisDatabaseManager:
    """Hands out clients for the catalog's databases. Safe across threads, forks and event loops."""

    def __init__(self, config_path: str | os.PathLike[str] | None = None) -> None:
        """With a path the catalog is read here, else at the first use: raises `ConfigurationInvalid`."""
        self._config_path = config_path
        self._settings = load_redis_settings(config_path) if config_path is not None else None
        # Whatever a forked child got from its parent stays referenced here: collecting an asyncio
        # connection would take its socket out of the epoll set that the child shares with the parent.
        self._inherited: list[object] = []
        self._forget_clients()

    def _forget_clients(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._sealers: dict[str, ValueSealer] = {}
        self._companions = Companions(lambda: self.settings, self.get_async_connection)
        self._clients: dict[ClientKey, redis.Redis] = {}
        self._async_clients: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[ClientKey, redis.asyncio.Redis]
        ] = weakref.WeakKeyDictionary()

    def _check_process(self) -> None:
        # After a fork another thread of the parent may have held the lock, and it will never be
        # released here: the child takes new locks and new pools, and leaves the parent's sockets alone.
        if self._process_id != os.getpid():
            self._inherited.append((self._clients, list(self._async_clients.items()), self._companions))
            self._forget_clients()

    @property
    def settings(self) -> RedisSettings:
        """The settings in force; replaced as a whole by `reload`. Raises `ConfigurationInvalid`."""
        settings = self._settings
        if settings is None:
            settings = self._settings = load_redis_settings(self._config_path)
        return settings

    @property
    def database_names(self) -> tuple[str, ...]:
        """Every database of the catalog, in its order."""
        return tuple(self.settings.databases)

    def entry(self, database: str) -> DatabaseEntry:
        """The catalog's row of a database. Raises `UnknownDatabase` with the nearest match."""
        return self.settings.entry(database)

    def get_database_number(self, database: str) -> int:
        """The number behind a name. Raises `UnknownDatabase`: an unknown name is never database 0."""
        return self.settings.entry(database).number

    def get_connection(
        self, database: str = "main", decode_responses: bool = True, **options: Any
    ) -> redis.Redis:
        """The shared client of a database. It connects at its first command, not here.

        `options` are redis-py's connection arguments (`socket_timeout=30`); each set of them has a
        pool of its own, so use them sparingly. Raises `UnknownDatabase`.
        """
        self._check_process()
        key = (database, decode_responses, _options_key(options) if options else _NO_OPTIONS)
        client = self._clients.get(key)
        if client is not None:
            return client
        with self._lock:
            if key not in self._clients:
                # Looked up under the lock: adopt() would miss a client that is made from former settings.
                settings = self.settings
                entry = settings.entry(database)
                self._clients[key] = make_client(settings, entry, decode_responses, options)
            return self._clients[key]

    def get_async_connection(
        self, database: str = "main", decode_responses: bool = True, **options: Any
    ) -> redis.asyncio.Redis:
        """The client of a database for the running event loop; `await` in front of it is allowed.

        Raises `UnknownDatabase`, and `RuntimeError` outside of an event loop.
        """
        self._check_process()
        loop = asyncio.get_running_loop()
        key = (database, decode_responses, _options_key(options) if options else _NO_OPTIONS)
        with self._lock:
            clients = self._async_clients.setdefault(loop, {})
            if key not in clients:
                settings = self.settings
                entry = settings.entry(database)
                clients[key] = make_async_client(settings, entry, decode_responses, options)
            return clients[key]

    def get_encrypted_connection(self, database: str, decode_responses: bool = True) -> EncryptedRedis:
        """The view through which values of an encrypted database are written and read.

        Raises `UnknownDatabase`, and `ConfigurationInvalid` where the security level asks for no encryption.
        """
        client = self.get_connection(database, decode_responses=False)
        return EncryptedRedis(client, self.sealer(database), decode_responses=decode_responses)

    def get_async_encrypted_connection(
        self, database: str, decode_responses: bool = True
    ) -> AsyncEncryptedRedis:
        """The same for the running event loop."""
        client = self.get_async_connection(database, decode_responses=False)
        return AsyncEncryptedRedis(client, self.sealer(database), decode_responses=decode_responses)

    def sealer(self, database: str) -> ValueSealer:
        """What seals and opens the values of a database; its `statistics` count them."""
        self._check_process()
        sealer = self._sealers.get(database)
        if sealer is None:
            settings = self.settings
            if not settings.entry(database).encrypted:
                raise ConfigurationInvalid(
                    f"the security level of '{database}' asks for no encryption",
                    hint="Use get_connection(), or give the database a level with `encryption: true`.",
                )
            ring = KeyRingFile(settings.data_keys_file)
            made = ValueSealer(database, ring, allow_plaintext=settings.allow_plaintext)
            sealer = self._sealers.setdefault(database, made)
        return sealer

    def get_cached_reader(self, database: str) -> CachedReader:
        """The running event loop's reader; it caches where the access pattern is read-heavy."""
        self._check_process()
        return self._companions.reader(database)

    def get_batched_writer(self, database: str) -> BatchedWriter:
        """The running event loop's writer, for many small writes; see there what acknowledged means."""
        self._check_process()
        return self._companions.writer(database)

    def get_main_connection(self, **options: Any) -> redis.Redis:
        """Database `main`."""
        return self.get_connection("main", **options)

    def get_knowledge_base_connection(self, **options: Any) -> redis.Redis:
        """Database `knowledge`."""
        return self.get_connection("knowledge", **options)

    def get_prompts_connection(self, **options: Any) -> redis.Redis:
        """Database `prompts`."""
        return self.get_connection("prompts", **options)

    def get_agents_connection(self, **options: Any) -> redis.Redis:
        """Database `agents`."""
        return self.get_connection("agents", **options)

    def get_metrics_connection(self, **options: Any) -> redis.Redis:
        """Database `metrics`."""
        return self.get_connection("metrics", **options)

    def get_main_async_connection(self, **options: Any) -> redis.asyncio.Redis:
        """Database `main`."""
        return self.get_async_connection("main", **options)

    def get_knowledge_base_async_connection(self, **options: Any) -> redis.asyncio.Redis:
        """Database `knowledge`."""
        return self.get_async_connection("knowledge", **options)

    def get_prompts_async_connection(self, **options: Any) -> redis.asyncio.Redis:
        """Database `prompts`."""
        return self.get_async_connection("prompts", **options)

    def get_agents_async_connection(self, **options: Any) -> redis.asyncio.Redis:
        """Database `agents`."""
        return self.get_async_connection("agents", **options)

    def get_metrics_async_connection(self, **options: Any) -> redis.asyncio.Redis:
        """Database `metrics`."""
        return self.get_async_connection("metrics", **options)

    # The historical name of the twins has `async` in the middle or in front, depending on the caller.
    get_async_main_connection = get_main_async_connection
    get_async_knowledge_base_connection = get_knowledge_base_async_connection
    get_async_prompts_connection = get_prompts_async_connection
    get_async_agents_connection = get_agents_async_connection
    get_async_metrics_connection = get_metrics_async_connection

    def get_database_info(self) -> dict[str, dict[str, Any]]:
        """For each database: number, description, reachability, keys and connections of this process.

        What this user may not look at is None, with the reason under `not_seen`.
        """
        return describe_databases(self)

    def validate_database_separation(self) -> SeparationReport:
        """Whether each reachable database is the one its name says; true or false in an `if`.

        It looks only at what this user may see; `report.not_seen` says what that leaves out.
        """
        return inspect_separation(self)

    def pool_statistics(self) -> dict[str, dict[str, int]]:
        """Connections this process holds, per database: `open`, `in_use`, `bound`."""
        self._check_process()
        statistics: dict[str, dict[str, int]] = {}
        with self._lock:
            pairs: list[tuple[ClientKey, Any]] = list(self._clients.items())
            for clients in self._async_clients.values():
                pairs.extend(clients.items())
        for (database, _, _), client in pairs:
            pool = client.connection_pool
            (idle, _), (in_use, _) = pool.get_connection_count()
            row = statistics.setdefault(str(database), {"open": 0, "in_use": 0, "bound": 0})
            row["open"] += idle + in_use
            row["in_use"] += in_use
            row["bound"] += pool.max_connections
        return statistics

    def reload(self) -> bool:
        """Read catalog and environment again; a wrong one is logged and the old one kept (False)."""
        try:
            self.adopt(self.read_settings())
        except ConfigurationInvalid as error:
            # The message says what is wrong in which file; a traceback adds nothing for an operator.
            logger.error("kept the former database catalog: %s", error)  # noqa: TRY400
            return False
        return True

    def read_settings(self) -> RedisSettings:
        """Catalog and environment as they are now, not in force. Raises `ConfigurationInvalid`."""
        return load_redis_settings(self._config_path)

    def adopt(self, settings: RedisSettings) -> None:
        """Put settings in force; commands on their way end on the connections that they began on."""
        former, self._settings = self.settings, settings
        for name in list(self._sealers):
            if not settings.encrypts(name):
                self._sealers.pop(name, None)
        changed = {name for name, entry in former.databases.items() if settings.databases.get(name) != entry}
        changed = changed if _same_server(former, settings) else set(former.databases)
        self._companions.forget(changed)
        self._close_clients(changed, in_use_too=False)

    def reset(self) -> None:
        """Close every client and forget the settings: the next use reads catalog and environment again."""
        self._close_clients(None)
        self._sealers.clear()
        self._settings = None if self._config_path is None else load_redis_settings(self._config_path)

    def close_all_connections(self) -> None:
        """Close every client of this process; they reconnect if somebody still uses them.

        Clients of another running event loop are closed by that loop, as soon as it comes to it.
        """
        self._close_clients(None)

    async def close_all_async_connections(self) -> None:
        """Flush the running event loop's writers, close its clients and wait until they are closed."""
        self._check_process()
        await self._companions.close()
        with self._lock:
            clients = self._async_clients.pop(asyncio.get_running_loop(), {})
        for client in clients.values():
            await client.aclose(close_connection_pool=True)

    def _close_clients(self, databases: set[str] | None, *, in_use_too: bool = True) -> None:
        self._check_process()

        def concerned(key: ClientKey) -> bool:
            return databases is None or key[0] in databases

        with self._lock:
            closing = [self._clients.pop(key) for key in list(self._clients) if concerned(key)]
            leaving = [
                (loop, clients.pop(key))
                for loop, clients in self._async_clients.items()
                for key in list(clients)
                if concerned(key)
            ]
        for client in closing:
            client.connection_pool.disconnect(inuse_connections=in_use_too)
        for loop, async_client in leaving:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_close_soon, loop, async_client, in_use_too)


def _close_soon(loop: asyncio.AbstractEventLoop, client: redis.asyncio.Redis, in_use_too: bool) -> None:
    task = loop.create_task(client.connection_pool.disconnect(inuse_connections=in_use_too))
    _closing_tasks.add(task)
    task.add_done_callback(_closing_tasks.discard)


# An event loop keeps only weak references to its tasks.
_closing_tasks: set[asyncio.Task[None]] = set()


def _options_key(options: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    try:
        return frozenset(options.items())
    except TypeError as error:
        raise TypeError("connection options must be hashable, because pools are shared by them") from error


def _same_server(one: RedisSettings, other: RedisSettings) -> bool:
    return all(
        getattr(one, name) == getattr(other, name) for name in ("host", "port", "username", "tls", "sentinel")
    )


redis_db_manager = RedisDatabaseManager()


class _DatabaseNames(type):
    """Makes `RedisDatabase` look like an enumeration whose members are the catalog's rows."""

    def __getattr__(cls, name: str) -> RedisDatabase:
        if name.startswith("_") or not name.isupper():
            raise AttributeError(name)
        known = redis_db_manager.database_names
        if name.lower() not in known:
            raise AttributeError(f"unknown database '{name}'. {nearest_match_hint(name, known)}")
        return RedisDatabase(name.lower())

    def __getitem__(cls, name: str) -> RedisDatabase:
        try:
            return cls.__getattr__(name.upper())
        except AttributeError as error:
            raise KeyError(str(error)) from error

    def __iter__(cls) -> Iterator[RedisDatabase]:
        return (RedisDatabase(name) for name in redis_db_manager.database_names)

    def __len__(cls) -> int:
        return len(redis_db_manager.database_names)


class RedisDatabase(str, metaclass=_DatabaseNames):
    """A database of the catalog: `RedisDatabase.KNOWLEDGE.value` is its number, `str()` its name.

    Members come from the catalog at their first use, so an allocated database has one at once. As a
    `str` a member goes wherever a name does.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The member's name, in capitals."""
        return self.upper()

    @property
    def value(self) -> int:
        """The number in the shared manager's catalog."""
        return redis_db_manager.get_database_number(self)

    def __repr__(self) -> str:
        return f"<RedisDatabase.{self.name}>"
