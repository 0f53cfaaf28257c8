"""Functions for code that wants a client and not a manager; all of them use the shared manager.

    from src.utils.redis_client import get_redis_client
    sessions = get_redis_client(database="sessions")
    sessions = await get_redis_client(async_client=True, database="sessions")

Two orders of positional arguments are in use, `(async_client, database)` and `(database,
async_client)`. A switch and a name can't be confused, so either order is recognised by type.
"""

from __future__ import annotations

import time
from typing import Any, Literal, overload

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, RedisError

from src.utils.redis_database_manager import redis_db_manager

DEFAULT_DATABASE = "main"


@overload
def get_redis_client(
    async_client: Literal[False] = ..., database: str = ..., **options: Any
) -> redis.Redis: ...
@overload
def get_redis_client(
    async_client: Literal[True], database: str = ..., **options: Any
) -> redis.asyncio.Redis: ...
@overload
def get_redis_client(database: str, async_client: Literal[False] = ..., **options: Any) -> redis.Redis: ...
@overload
def get_redis_client(database: str, async_client: Literal[True], **options: Any) -> redis.asyncio.Redis: ...
def get_redis_client(*positional: bool | str, **options: Any) -> redis.Redis | redis.asyncio.Redis:
    """The shared client of `database` ("main" by default), for asyncio with `async_client=True`.

    Further keywords go to the connection (`decode_responses=False`, `socket_timeout=30`). Raises
    `UnknownDatabase` for a name that the catalog doesn't have, and `TypeError` for an argument given
    twice or of a wrong type.
    """
    chosen = recognise_arguments(positional, options)
    if chosen["async_client"]:
        return redis_db_manager.get_async_connection(chosen["database"], **options)
    return redis_db_manager.get_connection(chosen["database"], **options)


def recognise_arguments(positional: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """`async_client` and `database` out of both kinds of argument; takes them out of `options`."""
    chosen: dict[str, Any] = {}
    named = {name: options.pop(name) for name in ("async_client", "database") if name in options}
    for value in positional:
        name = _argument_for(value)
        if name in chosen:
            raise TypeError(f"get_redis_client got two values for '{name}': {chosen[name]!r} and {value!r}")
        chosen[name] = value
    for name, value in named.items():
        if name in chosen:
            raise TypeError(f"get_redis_client got '{name}' by position and by keyword")
        if _argument_for(value) != name:
            raise TypeError(f"get_redis_client got {value!r} as '{name}'")
        chosen[name] = value
    return {"async_client": False, "database": DEFAULT_DATABASE} | chosen


def _argument_for(value: object) -> str:
    if isinstance(value, bool):
        return "async_client"
    if isinstance(value, str):
        return "database"
    raise TypeError(f"get_redis_client takes a database name and a true or false, not {value!r}")


@overload
def get_knowledge_base_redis(async_client: Literal[False] = ...) -> redis.Redis: ...
@overload
def get_knowledge_base_redis(async_client: Literal[True]) -> redis.asyncio.Redis: ...
def get_knowledge_base_redis(async_client: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """The client of `knowledge`."""
    return _client("knowledge", async_client)


@overload
def get_prompts_redis(async_client: Literal[False] = ...) -> redis.Redis: ...
@overload
def get_prompts_redis(async_client: Literal[True]) -> redis.asyncio.Redis: ...
def get_prompts_redis(async_client: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """The client of `prompts`."""
    return _client("prompts", async_client)


@overload
def get_agents_redis(async_client: Literal[False] = ...) -> redis.Redis: ...
@overload
def get_agents_redis(async_client: Literal[True]) -> redis.asyncio.Redis: ...
def get_agents_redis(async_client: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """The client of `agents`."""
    return _client("agents", async_client)


@overload
def get_metrics_redis(async_client: Literal[False] = ...) -> redis.Redis: ...
@overload
def get_metrics_redis(async_client: Literal[True]) -> redis.asyncio.Redis: ...
def get_metrics_redis(async_client: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """The client of `metrics`."""
    return _client("metrics", async_client)


@overload
def get_main_redis(async_client: Literal[False] = ...) -> redis.Redis: ...
@overload
def get_main_redis(async_client: Literal[True]) -> redis.asyncio.Redis: ...
def get_main_redis(async_client: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """The client of `main`."""
    return _client("main", async_client)


def _client(database: str, async_client: bool) -> redis.Redis | redis.asyncio.Redis:
    if async_client:
        return redis_db_manager.get_async_connection(database)
    return redis_db_manager.get_connection(database)


def reset_redis_clients() -> None:
    """Close every shared client and read catalog and environment again at the next use."""
    redis_db_manager.reset()


def test_redis_connection(database: str = DEFAULT_DATABASE) -> bool:  # noqa: PT028 - not a test
    """Whether the database answers a PING. An unknown name still raises `UnknownDatabase`."""
    try:
        return bool(redis_db_manager.get_connection(database).ping())
    except RedisError:
        return False


def get_redis_health() -> dict[str, dict[str, Any]]:
    """Each database's `status` (pass, fail, or denied where this user may not go), ms and reason."""
    health: dict[str, dict[str, Any]] = {}
    for name in redis_db_manager.database_names:
        began = time.perf_counter()
        row: dict[str, Any] = {"number": redis_db_manager.get_database_number(name), "status": "pass"}
        try:
            redis_db_manager.get_connection(name).ping()
            row["milliseconds"] = round((time.perf_counter() - began) * 1000, 3)
        except NoPermissionError as error:
            row |= {"status": "denied", "reason": str(error)}
        except RedisError as error:
            row |= {"status": "fail", "reason": str(error)}
        health[name] = row
    return health


def get_redis_metrics() -> dict[str, dict[str, int]]:
    """Connections that this process holds, per database: `open`, `in_use`, `bound`."""
    return redis_db_manager.pool_statistics()
