"""Cached reads: never older than promised, with and without the server's help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import RedisError

from src.utils.redis_client import get_redis_client
from src.utils.redis_read_cache import RECONNECT_SECONDS, ReadCache
from tests.component.redis_process import RedisProcess

ActAs = Callable[[str], None]
WAIT_SECONDS = 10.0


def prompts() -> redis.asyncio.Redis:
    return get_redis_client(async_client=True, database="prompts")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def set_and_wait(cache: ReadCache, server: RedisProcess, key: str, value: str) -> None:
    """Another client's write, and the moment when the cache was told: a read before it isn't kept."""
    told = cache.statistics.invalidations
    server.operator(2).set(key, value)

    async def was_told() -> bool:
        return cache.statistics.invalidations > told

    await until(was_told)


@pytest.fixture
async def tracked(act_as: ActAs) -> AsyncIterator[ReadCache]:
    act_as("operator")
    async with ReadCache(prompts, ["prompt:"]) as cache:
        yield cache
    await prompts().connection_pool.disconnect()


@pytest.fixture
async def untracked(act_as: ActAs) -> AsyncIterator[ReadCache]:
    act_as("chat")
    async with ReadCache(prompts, ["prompt:"], untracked_seconds=0.3) as cache:
        yield cache
    await prompts().connection_pool.disconnect()


async def test_a_second_read_does_not_ask_the_server(tracked: ReadCache, redis_process: RedisProcess) -> None:
    await set_and_wait(tracked, redis_process, "prompt:a", "one")
    assert [await tracked.get("prompt:a") for _ in range(5)] == ["one"] * 5
    assert (tracked.statistics.misses, tracked.statistics.hits) == (1, 4)
    calls = redis_process.operator().info("commandstats")["cmdstat_get"]["calls"]
    assert calls == 1


async def test_another_clients_change_is_seen(tracked: ReadCache, redis_process: RedisProcess) -> None:
    assert tracked.tracking
    other = redis_process.operator(2)
    other.hset("prompt:h", "field", "one")
    assert await tracked.hgetall("prompt:h") == {"field": "one"}
    other.hset("prompt:h", "field", "two")

    async def seen() -> bool:
        return await tracked.hgetall("prompt:h") == {"field": "two"}

    await until(seen)
    other.delete("prompt:h")

    async def gone() -> bool:
        return await tracked.hgetall("prompt:h") == {}

    await until(gone)


async def test_an_emptied_database_is_seen(tracked: ReadCache, redis_process: RedisProcess) -> None:
    await set_and_wait(tracked, redis_process, "prompt:a", "one")
    assert await tracked.get("prompt:a") == "one"
    redis_process.operator(2).flushdb()

    async def gone() -> bool:
        return await tracked.get("prompt:a") is None

    await until(gone)


class HeldRedis(redis.asyncio.Redis):
    """A real client that gives its reply only when the test says so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.has_reply, self.may_answer = asyncio.Event(), asyncio.Event()

    async def get(self, name: Any) -> Any:
        value = await super().get(name)
        self.has_reply.set()
        await self.may_answer.wait()
        return value


async def test_a_reply_that_a_change_has_overtaken_is_not_kept(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("operator")
    redis_process.operator(2).set("prompt:a", "old")
    held = HeldRedis(connection_pool=prompts().connection_pool)
    async with ReadCache(lambda: held, ["prompt:"]) as cache:
        reading = asyncio.create_task(cache.get("prompt:a"))
        await held.has_reply.wait()
        await set_and_wait(cache, redis_process, "prompt:a", "new")
        held.may_answer.set()
        assert await reading == "old"
        assert await cache.get("prompt:a") == "new"
    await prompts().connection_pool.disconnect()


async def test_no_read_goes_back_in_time_while_others_write(
    tracked: ReadCache, redis_process: RedisProcess
) -> None:
    other = get_redis_client(database="prompts", decode_responses=True)

    def write() -> None:
        for number in range(400):
            other.set("prompt:n", number)

    redis_process.operator(2).set("prompt:n", "-1")
    writing = asyncio.create_task(asyncio.to_thread(write))
    last = -1
    while not writing.done():
        values = await asyncio.gather(*(tracked.get("prompt:n") for _ in range(5)))
        assert min(map(int, values)) >= last
        last = max(map(int, values))
        await asyncio.sleep(0)
    await writing

    async def newest() -> bool:
        return bool(await tracked.get("prompt:n") == "399")

    await until(newest)


async def test_after_a_lost_connection_nothing_old_is_answered(
    tracked: ReadCache, redis_process: RedisProcess
) -> None:
    await set_and_wait(tracked, redis_process, "prompt:a", "one")
    assert await tracked.get("prompt:a") == "one"
    redis_process.stop()

    async def lost() -> bool:
        return not tracked.tracking

    await until(lost)
    with pytest.raises(RedisError):
        await tracked.get("prompt:a")
    redis_process.start()
    redis_process.operator(2).set("prompt:a", "two")

    async def back() -> bool:
        return tracked.tracking

    await until(back)
    assert await tracked.get("prompt:a") == "two"


async def test_without_the_right_to_be_told_a_value_is_kept_for_a_moment(
    untracked: ReadCache, redis_process: RedisProcess
) -> None:
    assert not untracked.tracking
    redis_process.operator(2).set("prompt:a", "one")
    assert [await untracked.get("prompt:a") for _ in range(3)] == ["one"] * 3
    assert untracked.statistics.hits == 2
    redis_process.operator(2).set("prompt:a", "two")
    began = time.monotonic()

    async def seen() -> bool:
        return bool(await untracked.get("prompt:a") == "two")

    await until(seen)
    assert time.monotonic() - began < 0.3 + RECONNECT_SECONDS


async def test_a_key_that_is_forgotten_is_read_again(
    untracked: ReadCache, redis_process: RedisProcess
) -> None:
    redis_process.operator(2).set("prompt:a", "one")
    await untracked.get("prompt:a")
    redis_process.operator(2).set("prompt:a", "two")
    untracked.forget("prompt:a")
    assert await untracked.get("prompt:a") == "two"


async def test_the_number_of_keys_is_bounded(act_as: ActAs, redis_process: RedisProcess) -> None:
    act_as("operator")
    async with ReadCache(prompts, ["prompt:"], most_keys=3) as cache:
        for number in (0, 1, 2, 0, 3):
            await cache.get(f"prompt:{number}")
        assert cache.statistics.hits == 1
        await cache.get("prompt:0")
        await cache.get("prompt:1")  # the one that was used longest ago had to go
        assert (cache.statistics.hits, cache.statistics.misses) == (2, 5)
    await prompts().connection_pool.disconnect()


async def test_the_pool_gets_no_tracking_connection_back(act_as: ActAs, redis_process: RedisProcess) -> None:
    act_as("operator")
    async with ReadCache(prompts, ["prompt:"]) as cache:
        assert cache.tracking
    await prompts().ping()
    flags = [row["flags"] for row in redis_process.operator().client_list() if row["db"] == "2"]
    assert flags
    assert not any("t" in flag or "B" in flag for flag in flags)
    await prompts().connection_pool.disconnect()
