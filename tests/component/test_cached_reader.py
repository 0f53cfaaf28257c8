"""Cached reads on a real server as an agent's user: never older than an announcement allows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from src.utils import cached_reader, read_cache
from src.utils.cached_reader import CachedReader
from src.utils.redis_database_manager import redis_db_manager
from tests.component.redis_process import RedisProcess

PROMPTS = 2


@pytest.fixture
async def reader(act_as: Callable[[str], None], redis_process: RedisProcess) -> AsyncIterator[CachedReader]:
    """The chat agent's: it may read prompts, and not write them. Tracking is what the stack doesn't grant."""
    redis_process.add_rules("chat", "+client|tracking")
    act_as("chat")
    yield redis_db_manager.get_cached_reader("prompts")
    await redis_db_manager.close_all_async_connections()


@pytest.fixture
def prompts(redis_process: RedisProcess) -> redis.Redis:
    return redis_process.operator(PROMPTS)


def hits(reader: CachedReader) -> int:
    assert reader.cache is not None
    return reader.cache.statistics.hits


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def test_the_second_read_asks_nobody(
    reader: CachedReader, prompts: redis.Redis, redis_process: RedisProcess
) -> None:
    prompts.set("prompt:a", "text")
    prompts.hset("prompt:h", mapping={"a": "1", "b": "2"})
    prompts.rpush("prompt:l", "x", "y")
    prompts.sadd("prompt:s", "m")

    async def read() -> list[object]:
        return [
            await reader.get("prompt:a"),
            await reader.get("prompt:none"),
            await reader.hget("prompt:h", "b"),
            await reader.hgetall("prompt:h"),
            await reader.lrange("prompt:l", 0, -1),
            await reader.smembers("prompt:s"),
            await reader.mget(["prompt:a", "prompt:none"]),
        ]

    first = await read()
    assert first == ["text", None, "2", {"a": "1", "b": "2"}, ["x", "y"], {"m"}, ["text", None]]
    before = redis_process.operator().info("stats")["total_commands_processed"]
    assert await read() == first
    after = redis_process.operator().info("stats")["total_commands_processed"]
    assert hits(reader) == 8 + 2
    assert after - before <= 4  # the operator's own greeting and INFO


async def test_a_change_by_anybody_is_seen(reader: CachedReader, prompts: redis.Redis) -> None:
    for number in range(50):
        prompts.set("prompt:a", number)
        await reader.settle()
        assert await reader.get("prompt:a") == str(number)
    prompts.delete("prompt:a")
    await reader.settle()
    assert await reader.get("prompt:a") is None
    prompts.set("prompt:a", "back")
    await reader.settle()
    assert await reader.get("prompt:a") == "back"
    prompts.flushdb()
    await reader.settle()
    assert await reader.get("prompt:a") is None


async def test_a_change_arrives_without_anybody_asking(reader: CachedReader, prompts: redis.Redis) -> None:
    prompts.set("prompt:a", "before")
    assert await reader.get("prompt:a") == "before"
    prompts.set("prompt:a", "after")
    assert reader.cache is not None
    await until(lambda: not reader.cache or len(reader.cache) == 0)
    assert await reader.get("prompt:a") == "after"


async def test_an_expired_key_is_gone_here_too(reader: CachedReader, prompts: redis.Redis) -> None:
    prompts.set("prompt:a", "short", px=100)
    assert await reader.get("prompt:a") == "short"
    assert reader.cache is not None
    await until(lambda: not reader.cache or len(reader.cache) == 0)
    assert await reader.get("prompt:a") is None


async def test_never_reads_backwards_while_others_write(reader: CachedReader, prompts: redis.Redis) -> None:
    prompts.set("prompt:a", 0)
    writing = asyncio.to_thread(lambda: [prompts.set("prompt:a", number) for number in range(1, 2001)])
    task = asyncio.create_task(writing)
    last = 0
    while not task.done():
        for value in await asyncio.gather(*(reader.get("prompt:a") for _ in range(5))):
            assert int(value) >= last
            last = int(value)
    await reader.settle()
    assert await reader.get("prompt:a") == "2000"


async def test_survives_thousands_of_announcements_at_once(
    reader: CachedReader, prompts: redis.Redis
) -> None:
    keys = [f"prompt:{number}" for number in range(5000)]
    prompts.mset(dict.fromkeys(keys, "before"))
    assert set(await reader.mget(keys)) == {"before"}
    with prompts.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.set(key, "after")
        pipeline.execute()
    await reader.settle()
    assert set(await reader.mget(keys)) == {"after"}
    assert await reader.mget(keys) == ["after"] * 5000
    assert hits(reader) >= 5000


async def test_a_lost_connection_forgets_everything_and_no_read_fails(
    reader: CachedReader, prompts: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_reader, "RETRY_SECONDS", 0.05)
    prompts.set("prompt:a", "before")
    assert await reader.get("prompt:a") == "before"
    for row in prompts.client_list():
        if row["name"] == "chat":
            prompts.client_kill_filter(_id=row["id"])
    prompts.set("prompt:a", "after")
    await reader.settle()
    assert await reader.get("prompt:a") == "after"
    before = hits(reader)
    deadline = time.monotonic() + 5
    while hits(reader) == before:  # cached again, without a hand
        assert await reader.get("prompt:a") == "after"
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_silent_server_is_not_believed_for_long(
    reader: CachedReader, prompts: redis.Redis, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_reader, "PROOF_SECONDS", 0.2)
    prompts.set("prompt:a", "before")
    assert await reader.get("prompt:a") == "before"
    redis_process.freeze()
    try:
        await asyncio.sleep(0.25)
        reading = asyncio.create_task(reader.get("prompt:a"))
        await asyncio.sleep(0.2)
        assert not reading.done()
    finally:
        redis_process.thaw()
    assert await reading == "before"


async def test_content_that_was_swapped_in_is_seen_when_entries_grow_old(
    act_as: Callable[[str], None], redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_process.add_rules("chat", "+client|tracking")
    act_as("chat")
    prompts = redis_process.operator(PROMPTS)
    reader = redis_db_manager.get_cached_reader("prompts")
    assert reader.cache is not None
    now = time.monotonic()
    monkeypatch.setattr(reader.cache, "_clock", lambda: now)
    prompts.set("prompt:a", "former")
    redis_process.operator(30).set("prompt:a", "restored")
    assert await reader.get("prompt:a") == "former"
    with redis.Redis(
        port=redis_process.port, username="restore", password=redis_process.passwords["restore"]
    ) as restore:
        restore.swapdb(PROMPTS, 30)
    await reader.settle()
    # Redis announces nothing here: this is the one change that only age notices.
    assert await reader.get("prompt:a") == "former"
    now += read_cache.MAX_AGE_SECONDS + 1
    assert await reader.get("prompt:a") == "restored"
    await redis_db_manager.close_all_async_connections()


async def test_without_permission_an_answer_is_a_second_old_at_most_and_one_line_says_so(
    act_as: Callable[[str], None],
    redis_process: RedisProcess,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act_as("chat")
    prompts = redis_process.operator(PROMPTS)
    prompts.set("prompt:a", "text")
    reader = redis_db_manager.get_cached_reader("prompts")
    assert reader.cache is not None
    now = time.monotonic()
    monkeypatch.setattr(reader.cache, "_clock", lambda: now)
    with caplog.at_level(logging.WARNING):
        assert [await reader.get("prompt:a") for _ in range(3)] == ["text"] * 3
        assert hits(reader) == 2
        prompts.set("prompt:a", "changed")
        assert await reader.get("prompt:a") == "text"
        now += cached_reader.UNTRACKED_SECONDS
        assert await reader.get("prompt:a") == "changed"
        prompts.set("prompt:a", "again")
        await reader.settle()
        assert await reader.get("prompt:a") == "again"
    assert [record.getMessage()[:24] for record in caplog.records] == ["reads are cached for 1 s"]
    await redis_db_manager.close_all_async_connections()


async def test_errors_of_the_server_are_raised_and_not_kept(
    reader: CachedReader, prompts: redis.Redis
) -> None:
    prompts.hset("prompt:h", "a", "1")
    for _ in range(2):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await reader.get("prompt:h")
        with pytest.raises(NoPermissionError):
            await reader.get("fact:foreign")
    assert hits(reader) == 0


async def test_a_cancelled_read_disturbs_nobody(reader: CachedReader, prompts: redis.Redis) -> None:
    prompts.mset({f"prompt:{number}": number for number in range(50)})
    reads = [asyncio.create_task(reader.get(f"prompt:{number}")) for number in range(50)]
    await asyncio.sleep(0)
    for read in reads[::2]:
        read.cancel()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert results[1::2] == [str(number) for number in range(1, 50, 2)]


async def test_a_database_that_is_not_read_heavy_is_read_plainly(act_as: Callable[[str], None]) -> None:
    act_as("chat")
    reader = redis_db_manager.get_cached_reader("main")
    assert reader.cache is None
    await redis_db_manager.get_async_connection("main").set("cache:a", "text")
    assert await reader.get("cache:a") == "text"
    await reader.settle()
    await redis_db_manager.close_all_async_connections()


async def test_it_takes_one_connection(reader: CachedReader, redis_process: RedisProcess) -> None:
    await asyncio.gather(*(reader.get(f"prompt:{number}") for number in range(100)))
    rows = [row for row in redis_process.operator().client_list() if row["name"] == "chat"]
    assert [(row["db"], "t" in row["flags"]) for row in rows] == [(str(PROMPTS), True)]
