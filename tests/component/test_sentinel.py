"""Sentinel with real processes, and the refusal of a cluster's node."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from src.utils.redis_cluster_refusal import ClusterUnsupported
from src.utils.redis_database_manager import RedisDatabaseManager
from tests.component.redis_process import REPOSITORY
from tests.component.sentinel_processes import SentinelProcesses
from tests.free_ports import free_port

# Silence of half a second, an election, a promotion: two seconds. Where the Sentinels' votes split they
# try again after twice the failover timeout, six seconds later.
RECOVERY_SECONDS = 40.0
SESSIONS = 6


@pytest.fixture
def sentinels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SentinelProcesses]:
    processes = SentinelProcesses(tmp_path / "sentinels")
    try:
        processes.start()
        for variable, value in processes.environment().items():
            monkeypatch.setenv(variable, value)
        yield processes
    finally:
        processes.stop()


@pytest.fixture
def manager() -> Iterator[RedisDatabaseManager]:
    manager = RedisDatabaseManager()
    yield manager
    manager.close_all_connections()


def test_finds_the_master_and_the_database(
    sentinels: SentinelProcesses, manager: RedisDatabaseManager
) -> None:
    manager.get_connection("sessions").set("session:1", "threads")

    async def write() -> object:
        client = manager.get_async_connection("sessions")
        await client.set("session:2", "asyncio")
        value = await client.get("session:1")
        await manager.close_all_async_connections()
        return value

    assert asyncio.run(write()) == "threads"
    with redis.Redis(port=sentinels.data_ports[0], db=SESSIONS, decode_responses=True) as master:
        assert master.mget("session:1", "session:2") == ["threads", "asyncio"]


def test_goes_on_while_one_sentinel_is_dead(
    sentinels: SentinelProcesses, manager: RedisDatabaseManager
) -> None:
    sentinels.kill(sentinels.sentinel_ports[0])
    manager.get_connection("sessions").set("session:1", "a")


def test_refuses_a_service_that_nobody_watches(
    sentinels: SentinelProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_SENTINEL_SERVICE", "somebody-else")
    with pytest.raises(redis.ConnectionError, match="No master found for 'somebody-else'"):
        RedisDatabaseManager().get_connection("sessions").ping()


def test_clients_for_threads_recover_from_a_failover(
    sentinels: SentinelProcesses, manager: RedisDatabaseManager
) -> None:
    client = manager.get_connection("sessions")
    client.set("session:1", "before")
    held = [threading.Thread(target=client.ping) for _ in range(2)]  # more than one connection in the pool
    for thread in held:
        thread.start()
    for thread in held:
        thread.join()
    _wait_for_replica(sentinels)
    sentinels.kill(sentinels.data_ports[0])
    began = time.monotonic()
    while True:
        try:
            client.set("session:2", "after")
            break
        except redis.RedisError:
            assert time.monotonic() - began < RECOVERY_SECONDS
            time.sleep(0.05)
    assert client.get("session:1") == "before"
    sentinels.wait_until(lambda: sentinels.agree_on(sentinels.data_ports[1]))


def test_clients_for_asyncio_recover_from_a_failover(
    sentinels: SentinelProcesses, manager: RedisDatabaseManager
) -> None:
    async def survive() -> None:
        client = manager.get_async_connection("sessions")
        await asyncio.gather(*(client.set(f"session:{number}", "before") for number in range(20)))
        _wait_for_replica(sentinels)
        sentinels.kill(sentinels.data_ports[0])
        began = time.monotonic()
        while True:
            try:
                await client.set("session:after", "after")
                break
            except redis.RedisError:
                assert time.monotonic() - began < RECOVERY_SECONDS
                await asyncio.sleep(0.05)
        assert await client.get("session:7") == "before"
        await manager.close_all_async_connections()

    asyncio.run(survive())


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_the_very_command_that_meets_a_demoted_master_goes_to_the_new_one(
    sentinels: SentinelProcesses, manager: RedisDatabaseManager, kind: str
) -> None:
    if kind == "threads":
        client = manager.get_connection("sessions")
        client.set("session:1", "before")
        _swap_roles(sentinels)
        client.set("session:1", "after")
    else:

        async def write() -> None:
            client = manager.get_async_connection("sessions")
            await client.set("session:1", "before")
            _swap_roles(sentinels)
            await client.set("session:1", "after")
            await manager.close_all_async_connections()

        asyncio.run(write())
    with redis.Redis(port=sentinels.data_ports[1], db=SESSIONS, decode_responses=True) as master:
        assert master.get("session:1") == "after"


def _swap_roles(sentinels: SentinelProcesses) -> None:
    """A failover that the operator asks for: connections stay open, what answers there is read-only."""
    _wait_for_replica(sentinels)
    with redis.Redis(port=sentinels.sentinel_ports[0]) as sentinel:
        sentinel.execute_command("SENTINEL", "FAILOVER", "autobot")
    sentinels.wait_until(lambda: sentinels.agree_on(sentinels.data_ports[1]))
    with redis.Redis(port=sentinels.data_ports[0]) as demoted:
        # What Sentinel does itself, ten seconds later.
        demoted.replicaof("127.0.0.1", str(sentinels.data_ports[1]))


def _wait_for_replica(sentinels: SentinelProcesses) -> None:
    """Until what was written has arrived at the replica."""
    with redis.Redis(port=sentinels.data_ports[0]) as master:
        assert master.wait(1, 5000) == 1


@pytest.fixture
def cluster_node(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", tmp_path, "--save", "",
            "--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--logfile", tmp_path / "log",
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with redis.Redis(port=port) as client:
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                    break
                except redis.RedisError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("database", ["main", "sessions"])
def test_refuses_a_node_of_a_cluster(
    cluster_node: int, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(cluster_node))
    manager = RedisDatabaseManager(REPOSITORY / "config" / "redis-databases.yaml")
    with pytest.raises(ClusterUnsupported, match=rf"127\.0\.0\.1:{cluster_node} is in cluster mode"):
        manager.get_connection(database).ping()

    async def ping() -> None:
        try:
            await manager.get_async_connection(database).ping()
        finally:
            await manager.close_all_async_connections()

    with pytest.raises(ClusterUnsupported, match="only database 0"):
        asyncio.run(ping())
    manager.close_all_connections()
