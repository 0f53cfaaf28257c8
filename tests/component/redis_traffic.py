"""Agents' traffic in this process while a test changes something: on open, new and reopened connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

from src.utils.redis_pools import make_async_client, make_client
from src.utils.redis_settings import RedisSettings, load_redis_settings

KEY = "session:traffic"
DATABASE = "sessions"
ENOUGH = 10
WAIT_SECONDS = 30.0


@dataclass
class Traffic:
    """Commands answered on each kind of connection, and what failed."""

    answered: dict[str, int] = field(default_factory=lambda: {"open": 0, "new": 0, "reopened": 0})
    failures: list[str] = field(default_factory=list)


@contextmanager
def traffic(environment: Mapping[str, str]) -> Iterator[Traffic]:
    """Traffic of the agent with this environment, as its own library makes it, until the block ends.

    Before and after the block each kind of connection has answered some commands, or it is a failure.
    """
    settings, seen, over = load_redis_settings(environment=environment), Traffic(), threading.Event()
    workers = [_on_an_open_connection, _on_new_connections, _on_a_reopened_connection]
    threads = [threading.Thread(target=work, args=(settings, seen, over)) for work in workers]
    for thread in threads:
        thread.start()
    try:
        _wait_for_more(seen)
        yield seen
        _wait_for_more(seen)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _wait_for_more(seen: Traffic) -> None:
    enough = {kind: count + ENOUGH for kind, count in seen.answered.items()}
    deadline = time.monotonic() + WAIT_SECONDS
    while any(seen.answered[kind] < count for kind, count in enough.items()):
        assert time.monotonic() < deadline, f"no traffic: {seen}"
        time.sleep(0.01)


def _on_an_open_connection(settings: RedisSettings, seen: Traffic, over: threading.Event) -> None:
    client = make_client(settings, settings.entry(DATABASE), True, {"max_connections": 1})
    identity = client.client_id()
    while not over.wait(0.005):
        _count(seen, "open", client)
    if client.client_id() != identity:
        seen.failures.append("open: the connection was closed in between")
    client.connection_pool.disconnect()


def _on_new_connections(settings: RedisSettings, seen: Traffic, over: threading.Event) -> None:
    while not over.wait(0.005):
        client = make_client(settings, settings.entry(DATABASE), True, {})
        _count(seen, "new", client)
        client.connection_pool.disconnect()


def _on_a_reopened_connection(settings: RedisSettings, seen: Traffic, over: threading.Event) -> None:
    async def run() -> None:
        client = make_async_client(settings, settings.entry(DATABASE), True, {"max_connections": 1})
        while not over.is_set():
            try:
                await client.incr(KEY)
                seen.answered["reopened"] += 1
            except redis.RedisError as error:
                seen.failures.append(f"reopened: {error}")
            await client.connection_pool.disconnect()
            await asyncio.sleep(0.005)
        await client.aclose()

    asyncio.run(run())


def _count(seen: Traffic, kind: str, client: redis.Redis) -> None:
    try:
        client.incr(KEY)
        seen.answered[kind] += 1
    except redis.RedisError as error:
        seen.failures.append(f"{kind}: {error}")
