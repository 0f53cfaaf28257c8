"""Batched writes on a real server: order, bounds, and what happens to what was acknowledged or accepted."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, NoPermissionError, ResponseError

from src.utils.batched_writer import BatchedWriter, WriterClosed
from src.utils.redis_database_manager import redis_db_manager
from tests.component.redis_process import REPOSITORY, RedisProcess

LOGS = 5
KEY = "autobot:errors:test"


@pytest.fixture
async def writer(act_as: Callable[[str], None]) -> AsyncIterator[BatchedWriter]:
    """The chat agent's: it may write logs, and not read them."""
    act_as("chat")
    yield redis_db_manager.get_batched_writer("logs")
    await redis_db_manager.close_all_async_connections()


@pytest.fixture
def logs(redis_process: RedisProcess) -> redis.Redis:
    return redis_process.operator(LOGS)


def other_writer(**options: int | float) -> BatchedWriter:
    return BatchedWriter(lambda: redis_db_manager.get_async_connection("logs"), **options)  # type: ignore[arg-type]


async def test_a_write_returns_the_servers_reply(writer: BatchedWriter, logs: redis.Redis) -> None:
    assert await writer.write("RPUSH", KEY, "a", "b") == 2
    assert logs.lrange(KEY, 0, -1) == ["a", "b"]


async def test_many_writes_share_few_round_trips_and_keep_their_order(
    writer: BatchedWriter, logs: redis.Redis
) -> None:
    replies = await asyncio.gather(*(writer.write("RPUSH", KEY, number) for number in range(2000)))
    assert replies == list(range(1, 2001))
    assert logs.lrange(KEY, 0, -1) == [str(number) for number in range(2000)]
    assert writer.statistics.batches <= 2000 / 256 + 2


async def test_offers_wait_for_company_but_not_long(writer: BatchedWriter, logs: redis.Redis) -> None:
    for number in range(100):
        assert writer.offer("RPUSH", KEY, number)
    assert writer.pending == 100
    async with asyncio.timeout(5):
        while logs.llen(KEY) < 100:
            await asyncio.sleep(0.005)
    await writer.flush()
    assert writer.statistics.batches == 1


async def test_closing_the_loops_connections_sends_what_is_accepted(
    writer: BatchedWriter, logs: redis.Redis
) -> None:
    for number in range(3000):
        assert writer.offer("RPUSH", KEY, number)
    await redis_db_manager.close_all_async_connections()
    assert logs.lrange(KEY, 0, -1) == [str(number) for number in range(3000)]
    with pytest.raises(WriterClosed):
        writer.offer("RPUSH", KEY, "late")
    with pytest.raises(WriterClosed):
        await writer.write("RPUSH", KEY, "late")


async def test_flush_waits_for_what_was_accepted_before_it(writer: BatchedWriter, logs: redis.Redis) -> None:
    for number in range(700):
        writer.offer("RPUSH", KEY, number)
    await writer.flush()
    assert logs.llen(KEY) == 700
    await writer.flush()


async def test_a_full_buffer_refuses_offers_and_lets_writes_wait(
    act_as: Callable[[str], None], logs: redis.Redis
) -> None:
    act_as("chat")
    writer = other_writer(capacity=10)
    assert [writer.offer("RPUSH", KEY, number) for number in range(12)] == [True] * 10 + [False] * 2
    assert writer.statistics.refused == 2
    assert await asyncio.gather(*(writer.write("RPUSH", KEY, "w") for _ in range(50))) == list(range(11, 61))
    small = other_writer(capacity_bytes=1000)
    assert small.offer("RPUSH", KEY, "x" * 600)
    assert not small.offer("RPUSH", KEY, "x" * 600)
    await small.flush()
    assert small.offer("RPUSH", KEY, "x" * 5000), "an empty buffer takes one of any size"
    await small.close()
    await writer.close()
    await redis_db_manager.close_all_async_connections()


async def test_a_rejected_command_is_its_own_failure(
    writer: BatchedWriter, logs: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    logs.set("autobot:errors:text", "not a list")
    replies: list[object] = await asyncio.gather(
        writer.write("RPUSH", KEY, "a"),
        writer.write("RPUSH", "autobot:errors:text", "a"),
        writer.write("SET", "fact:1", "a"),
        writer.write("RPUSH", KEY, "b"),
        return_exceptions=True,
    )
    good, wrong, foreign, last = replies
    assert (good, last) == (1, 2)
    assert isinstance(wrong, ResponseError)
    assert isinstance(foreign, NoPermissionError)
    writer.offer("RPUSH", "autobot:errors:text", "a")
    await writer.flush()
    assert writer.statistics.failed == 3
    assert "RPUSH was rejected: WRONGTYPE" in caplog.text


async def test_refuses_at_once_what_can_not_be_sent(writer: BatchedWriter) -> None:
    for part in (None, True, ["a"]):
        with pytest.raises(DataError):
            writer.offer("RPUSH", KEY, part)
        with pytest.raises(DataError):
            await writer.write("RPUSH", KEY, part)
    assert writer.pending == 0


async def test_accepted_writes_outlive_an_outage_and_waiting_ones_are_told(
    writer: BatchedWriter, logs: redis.Redis, redis_process: RedisProcess
) -> None:
    await writer.write("RPUSH", KEY, "before")
    redis_process.stop()
    for number in range(50):
        assert writer.offer("RPUSH", KEY, number)
    with pytest.raises(RedisConnectionError):
        await writer.write("RPUSH", KEY, "nobody knows")
    assert writer.pending == 50
    redis_process.start()
    async with asyncio.timeout(10):
        await writer.flush()
    assert logs.lrange(KEY, 0, -1) == ["before", *(str(number) for number in range(50))]


async def test_closing_during_an_outage_ends_in_time_and_counts_the_loss(
    writer: BatchedWriter, redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    await writer.write("RPUSH", KEY, "before")
    redis_process.stop()
    for number in range(20):
        writer.offer("RPUSH", KEY, number)
    async with asyncio.timeout(5):
        await writer.close(timeout=0.5)
    assert writer.statistics.lost == 20
    assert "20 accepted writes are lost" in caplog.text


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(
    redis_process: RedisProcess, logs: redis.Redis, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio\n"
        "from src.utils.redis_database_manager import redis_db_manager\n"
        "async def main():\n"
        "    writer = redis_db_manager.get_batched_writer('logs')\n"
        "    async def work(number):\n"
        "        while True:\n"
        f"            print(await writer.write('RPUSH', '{KEY}', number), flush=True)\n"
        "    await asyncio.gather(*(work(number) for number in range(20)))\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, program],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
        env=redis_process.environment("chat") | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(500)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    assert logs.llen(KEY) >= max(acknowledged)
