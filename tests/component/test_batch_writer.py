"""Batched writes: nothing is lost that can be kept, and the caller never waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import redis.asyncio

from src.utils.redis_batch_writer import BatchWriter
from src.utils.redis_client import get_redis_client
from tests.component.redis_process import RedisProcess

ActAs = Callable[[str], None]
KEY = "autobot:sandbox:metrics:test"


def metrics() -> redis.asyncio.Redis:
    return get_redis_client(async_client=True, database="metrics")


async def test_every_write_arrives_in_order_and_in_few_packets(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("chat")
    async with BatchWriter(metrics, batch_seconds=0.05) as writer:
        for number in range(1000):
            writer.put("RPUSH", KEY, number)
    assert writer.statistics.written == 1000
    assert redis_process.operator(4).lrange(KEY, 0, -1) == [str(number) for number in range(1000)]
    await metrics().connection_pool.disconnect()


async def test_writes_of_other_threads_arrive(act_as: ActAs, redis_process: RedisProcess) -> None:
    act_as("chat")

    def put_many(writer: BatchWriter) -> None:
        for number in range(200):
            writer.put("RPUSH", KEY, number)

    async with BatchWriter(metrics) as writer:
        await asyncio.gather(*(asyncio.to_thread(put_many, writer) for _ in range(4)))
    assert redis_process.operator(4).llen(KEY) == 800
    await metrics().connection_pool.disconnect()


async def test_a_refused_command_does_not_take_the_others_with_it(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("chat")
    async with BatchWriter(metrics) as writer:
        writer.put("SET", KEY, "1")
        writer.put("SET", "fact:1", "1")  # a pattern that chat has no right to
        writer.put("SET", f"{KEY}:2", "2")
    assert (writer.statistics.written, writer.statistics.refused) == (2, 1)
    assert sorted(redis_process.operator(4).keys("*")) == [KEY, f"{KEY}:2"]
    await metrics().connection_pool.disconnect()


async def test_writes_wait_while_redis_is_away_and_arrive_when_it_is_back(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("chat")
    redis_process.stop()
    async with BatchWriter(metrics, batch_seconds=0.02) as writer:
        began = time.monotonic()
        for number in range(50):
            writer.put("HSET", KEY, number, number)
        assert time.monotonic() - began < 0.1
        redis_process.start()
        deadline = time.monotonic() + 20
        while writer.statistics.written < 50:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    assert redis_process.operator(4).hlen(KEY) == 50
    await metrics().connection_pool.disconnect()


async def test_the_oldest_are_dropped_and_counted_when_too_many_wait(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("chat")
    async with BatchWriter(metrics, most_waiting=10, batch_seconds=60) as writer:
        for number in range(25):
            writer.put("RPUSH", KEY, number)
        assert writer.statistics.dropped == 15
    assert redis_process.operator(4).lrange(KEY, 0, -1) == [str(number) for number in range(15, 25)]
    await metrics().connection_pool.disconnect()


async def test_leaving_while_redis_is_away_ends_and_tells_the_loss(
    act_as: ActAs, redis_process: RedisProcess
) -> None:
    act_as("chat")
    redis_process.stop()
    began = time.monotonic()
    async with BatchWriter(metrics) as writer:
        writer.put("SET", KEY, "1")
    assert writer.statistics.dropped == 1
    assert time.monotonic() - began < 10
