"""The pool for asyncio: its bound, its queue, and that nobody's bad luck takes a place away for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from src.utils.redis_bounded_pool import BoundedPool
from src.utils.redis_database_manager import redis_db_manager
from tests.component.redis_process import RedisProcess

BOUND = 2
KEY = "chat:pool"


@pytest.fixture
async def client(act_as: Callable[[str], None]) -> AsyncIterator[redis.asyncio.Redis]:
    act_as("chat")
    yield redis_db_manager.get_async_connection("sessions", max_connections=BOUND, timeout=0.3)
    await redis_db_manager.close_all_async_connections()


def pool_of(client: redis.asyncio.Redis) -> BoundedPool:
    pool = client.connection_pool
    assert isinstance(pool, BoundedPool)
    return pool


async def free_places(client: redis.asyncio.Redis) -> int:
    """How many connections can be had at once."""
    pool = pool_of(client)
    taken = []
    while not pool._free.locked():
        taken.append(await pool.get_connection())
    for connection in taken:
        await pool.release(connection)
    return len(taken)


async def test_many_callers_share_few_connections(
    client: redis.asyncio.Redis, redis_process: RedisProcess
) -> None:
    await asyncio.gather(*(client.incr(KEY) for _ in range(300)))
    assert await client.get(KEY) == "300"
    assert sum(row["name"] == "chat" for row in redis_process.operator().client_list()) == BOUND
    assert await free_places(client) == BOUND


async def test_says_so_when_none_becomes_free_in_time(client: redis.asyncio.Redis) -> None:
    taken = [await pool_of(client).get_connection() for _ in range(BOUND)]
    began = time.monotonic()
    with pytest.raises(RedisConnectionError, match=r"none of 2 connections became free within 0\.3 s"):
        await pool_of(client).get_connection()
    assert time.monotonic() - began >= 0.3
    for connection in taken:
        await pool_of(client).release(connection)
    assert await free_places(client) == BOUND


async def test_the_first_who_waits_is_the_first_who_is_served(client: redis.asyncio.Redis) -> None:
    pool = pool_of(client)
    taken = [await pool.get_connection() for _ in range(BOUND)]
    order: list[int] = []

    async def wait(number: int) -> None:
        connection = await pool.get_connection()
        order.append(number)
        await pool.release(connection)

    waiting = []
    for number in range(5):
        waiting.append(asyncio.create_task(wait(number)))
        await asyncio.sleep(0)
    for connection in taken:
        await pool.release(connection)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]


async def test_cancelled_and_timed_out_callers_leave_their_places(client: redis.asyncio.Redis) -> None:
    for delay in (0.0, 0.0005, 0.001, 0.003):
        calls = [asyncio.ensure_future(client.incr(KEY)) for _ in range(30)]
        await asyncio.sleep(delay)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert await free_places(client) == BOUND
    assert await client.ping()


async def test_failed_connections_leave_their_places(
    client: redis.asyncio.Redis, redis_process: RedisProcess
) -> None:
    redis_process.stop()
    results = await asyncio.gather(*(client.ping() for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, RedisConnectionError) for result in results)
    redis_process.start()
    assert await free_places(client) == BOUND
    assert await client.ping()
