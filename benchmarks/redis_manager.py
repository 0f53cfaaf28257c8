"""What the database manager costs beside bare redis-py, and what its caches and batches gain.

One server. What is compared takes turns every few milliseconds, so that the ratios hold whatever else
the machine does. A "GET" is one call after the other, as an application makes them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import redis
import redis.asyncio

from benchmarks.harness import Arm, Goal, Metrics, Report, installed, measure, publish
from benchmarks.throwaway_redis import throwaway_redis
from src.utils.redis_database_manager import RedisDatabaseManager

NUMBER = 15
DATABASE = "testing"
READ_HEAVY, READ_HEAVY_NUMBER = "prompts", 2
WRITE_HEAVY, WRITE_HEAVY_NUMBER = "logs", 5
ENCRYPTED = "sessions"
KEYS = [f"test:{number}" for number in range(10_000)]
VALUE = "x" * 100
LARGE_VALUE = "x" * 1024
PIPELINED = 100
CONCURRENT = 100
CALLS = 500
# A duel: so many blocks of so many calls, turn by turn. The median of the blocks' times leaves out
# those in which the machine did something else.
BLOCKS = 51
CALLS_A_BLOCK = 20
ROUNDS = 11

Block = Callable[[], object]


def duel(metric: str, operations: int, one: tuple[str, Block], other: tuple[str, Block]) -> Metrics:
    """Operations a second of both, and the ratio of the second to the first."""
    seconds: dict[str, list[float]] = {one[0]: [], other[0]: []}
    for turn in range(BLOCKS):
        for name, block in (one, other) if turn % 2 == 0 else (other, one):
            began = time.perf_counter()
            block()
            seconds[name].append(time.perf_counter() - began)
    rates = {name: operations / statistics.median(found) for name, found in seconds.items()}
    return {
        f"{metric}, {one[0]} [1/s]": rates[one[0]],
        f"{metric}, {other[0]} [1/s]": rates[other[0]],
        f"{metric}, {other[0]} to {one[0]} [×]": rates[other[0]] / rates[one[0]],
    }


class Bench:
    """The arms; all asyncio work runs in one loop, so that connections stay open between rounds."""

    def __init__(self, port: int) -> None:
        self.manager = RedisDatabaseManager()
        _ = self.manager.settings
        self.untracked = self.manager_without_tracking(port)
        self.bare = redis.Redis(port=port, db=NUMBER, decode_responses=True)
        self.loop = asyncio.new_event_loop()
        self.bare_async = redis.asyncio.Redis(port=port, db=NUMBER, decode_responses=True)
        self.bare.mset(dict.fromkeys(KEYS, VALUE))
        with redis.Redis(port=port, db=READ_HEAVY_NUMBER) as prompts:
            prompts.mset(dict.fromkeys(KEYS, VALUE))

    @staticmethod
    def manager_without_tracking(port: int) -> RedisDatabaseManager:
        """A manager whose user may do everything but CLIENT TRACKING."""
        with redis.Redis(port=port) as administrator:
            administrator.acl_setuser(
                "agent", enabled=True, passwords=["+word"], keys=["*"], categories=["+@all"],
                commands=["-client|tracking"],
            )  # fmt: skip
        os.environ |= {"REDIS_USERNAME": "agent", "REDIS_PASSWORD": "word"}
        manager = RedisDatabaseManager()
        _ = manager.settings
        del os.environ["REDIS_USERNAME"], os.environ["REDIS_PASSWORD"]
        return manager

    def arms(self) -> list[Arm]:
        """Every arm; each is a duel of its own."""
        return [
            Arm("threads", self.threads),
            Arm("asyncio", self.asyncio),
            Arm("get_connection", self.cost_of_a_client),
            Arm("read-heavy database", self.reads),
            Arm("write-heavy database", self.writes),
            Arm("encrypted database, 1 KiB", self.encrypted),
        ]

    def threads(self) -> Metrics:
        """Clients for threads; the manager is asked for its client each time, as applications do."""

        def manager() -> redis.Redis:
            return self.manager.get_connection(DATABASE)

        def get(client: Callable[[], redis.Redis]) -> Block:
            def block() -> None:
                for key in KEYS[:CALLS_A_BLOCK]:
                    client().get(key)

            return block

        def pipeline(client: Callable[[], redis.Redis]) -> Block:
            def block() -> None:
                with client().pipeline(transaction=False) as pipeline:
                    for key in KEYS[:PIPELINED]:
                        pipeline.get(key)
                    pipeline.execute()

            return block

        return {
            **duel("GET", CALLS_A_BLOCK, ("bare", get(lambda: self.bare)), ("manager", get(manager))),
            **duel(
                "pipelined GET",
                PIPELINED,
                ("bare", pipeline(lambda: self.bare)),
                ("manager", pipeline(manager)),
            ),
        }

    def asyncio(self) -> Metrics:
        """The same for asyncio."""

        def manager() -> redis.asyncio.Redis:
            return self.manager.get_async_connection(DATABASE)

        def get(client: Callable[[], redis.asyncio.Redis]) -> Block:
            async def block() -> None:
                for key in KEYS[:CALLS_A_BLOCK]:
                    await client().get(key)

            return lambda: self.loop.run_until_complete(block())

        def pipeline(client: Callable[[], redis.asyncio.Redis]) -> Block:
            async def block() -> None:
                async with client().pipeline(transaction=False) as pipeline:
                    for key in KEYS[:PIPELINED]:
                        pipeline.get(key)
                    await pipeline.execute()

            return lambda: self.loop.run_until_complete(block())

        return {
            **duel("GET", CALLS_A_BLOCK, ("bare", get(lambda: self.bare_async)), ("manager", get(manager))),
            **duel(
                "pipelined GET",
                PIPELINED,
                ("bare", pipeline(lambda: self.bare_async)),
                ("manager", pipeline(manager)),
            ),
        }

    def cost_of_a_client(self) -> Metrics:
        """Microseconds for one get_connection after the first."""

        def microseconds(get: Callable[[str], object]) -> float:
            blocks = []
            for _ in range(BLOCKS):
                began = time.perf_counter()
                for _ in range(100):
                    get(DATABASE)
                blocks.append((time.perf_counter() - began) / 100 * 1e6)
            return statistics.median(blocks)

        async def for_asyncio() -> float:
            return microseconds(self.manager.get_async_connection)

        return {
            "threads [µs]": microseconds(self.manager.get_connection),
            "asyncio [µs]": self.loop.run_until_complete(for_asyncio()),
        }

    def encrypted(self) -> Metrics:
        """SET and GET of one value, in the clear and through the view that seals and opens it."""

        def plain() -> None:
            for number in range(CALLS_A_BLOCK):
                client = self.manager.get_connection(ENCRYPTED)
                client.set(f"session:{number}", LARGE_VALUE)
                client.get(f"session:{number}")

        def sealed() -> None:
            for number in range(CALLS_A_BLOCK):
                view = self.manager.get_encrypted_connection(ENCRYPTED)
                view.set(f"session:sealed:{number}", LARGE_VALUE)
                view.get(f"session:sealed:{number}")

        return duel("SET and GET", CALLS_A_BLOCK, ("plain", plain), ("encrypted", sealed))

    def reads(self) -> Metrics:
        """99 reads of a hundred keys to one write by somebody else."""

        def block(read: Callable[[str], Awaitable[object]]) -> Block:
            async def work() -> None:
                for key in KEYS[:100]:
                    await read(key)
                await self.manager.get_async_connection(READ_HEAVY).set(KEYS[7], VALUE)

            return lambda: self.loop.run_until_complete(work())

        plain = ("plain", block(self.plain_read))
        return {
            **duel("reads", 100, plain, ("cached", block(self.cached_read))),
            **duel("reads", 100, plain, ("cached for a second", block(self.read_without_tracking))),
        }

    async def plain_read(self, key: str) -> object:
        """From the server."""
        return await self.manager.get_async_connection(READ_HEAVY).get(key)

    async def cached_read(self, key: str) -> object:
        """From memory, where the server announced no change."""
        return await self.manager.get_cached_reader(READ_HEAVY).get(key)

    async def read_without_tracking(self, key: str) -> object:
        """From memory for a second, as a user whom the server announces nothing."""
        return await self.untracked.get_cached_reader(READ_HEAVY).get(key)

    def writes(self) -> Metrics:
        """A hundred tasks that each wait for the reply of one write before the next; and offers."""

        def block(write: Callable[[int], Awaitable[object]]) -> Block:
            async def worker() -> None:
                for number in range(CALLS // CONCURRENT):
                    await write(number)

            async def work() -> None:
                await asyncio.gather(*(worker() for _ in range(CONCURRENT)))

            return lambda: self.loop.run_until_complete(work())

        async def offer() -> None:
            writer = self.manager.get_batched_writer(WRITE_HEAVY)
            for number in range(CALLS):
                writer.offer("HSET", "test:hash", number % 100, VALUE)
            await writer.flush()

        single = ("one by one", block(self.write_directly))
        return {
            **duel("writes", CALLS, single, ("acknowledged", block(self.write_acknowledged))),
            **duel("writes", CALLS, single, ("accepted", lambda: self.loop.run_until_complete(offer()))),
        }

    async def write_directly(self, number: int) -> object:
        """One command, one round trip."""
        return await self.manager.get_async_connection(WRITE_HEAVY).hset("test:hash", str(number), VALUE)

    async def write_acknowledged(self, number: int) -> object:
        """The same reply, together with others."""
        return await self.manager.get_batched_writer(WRITE_HEAVY).write("HSET", "test:hash", number, VALUE)

    def close(self) -> None:
        """Close everything."""
        for manager in (self.manager, self.untracked):
            self.loop.run_until_complete(manager.close_all_async_connections())
        self.loop.run_until_complete(self.bare_async.aclose())
        self.manager.close_all_connections()
        self.bare.close()
        self.loop.close()


# Arm, metric, limit, and whether the limit is an upper one.
PROMISES = (
    ("threads", "GET, manager to bare", 0.95, False),
    ("threads", "pipelined GET, manager to bare", 0.95, False),
    ("asyncio", "GET, manager to bare", 0.95, False),
    ("asyncio", "pipelined GET, manager to bare", 0.95, False),
    ("get_connection", "threads", 5.0, True),
    ("get_connection", "asyncio", 5.0, True),
    ("read-heavy database", "reads, cached to plain", 3.0, False),
    ("read-heavy database", "reads, cached for a second to plain", 3.0, False),
    ("write-heavy database", "writes, acknowledged to one by one", 2.0, False),
    ("write-heavy database", "writes, accepted to one by one", 2.0, False),
    ("encrypted database, 1 KiB", "SET and GET, encrypted to plain", 0.6, False),
)


def main() -> None:
    """Measure on a server of its own."""
    with throwaway_redis() as port, tempfile.TemporaryDirectory() as folder:
        key = os.urandom(32)
        ring = Path(folder) / "data_keys"
        ring.write_text(f"{hashlib.sha256(key).hexdigest()[:12]}:{base64.b64encode(key).decode()}\n")
        os.environ |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "DATA_KEYS_FILE": str(ring)}
        bench = Bench(port)
        try:
            rows = measure(bench.arms(), rounds=ROUNDS)
        finally:
            bench.close()
    report = Report(
        name="redis_manager",
        data=f"10,000 keys of 100 bytes, Redis on loopback; duels of {BLOCKS} blocks, turn by turn",
        rows=rows,
        versions=installed("redis", "hiredis", "cryptography"),
    )
    report.goals = [
        Goal(f"{arm}: {metric}", report.median(arm, metric), limit, at_most=at_most)
        for arm, metric, limit, at_most in PROMISES
    ]
    publish(report)


if __name__ == "__main__":
    main()
