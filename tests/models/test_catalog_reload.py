"""A catalog that changes under load, and agents that take it or keep the former one."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from src.utils.catalog_watch import CatalogWatch
from src.utils.redis_database_manager import RedisDatabaseManager
from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.redis_process import REPOSITORY, RedisProcess

REQUESTS_A_SECOND = 1000
SECONDS = 3.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder with the catalogs, to be changed."""
    return Path(shutil.copytree(REPOSITORY / "config", tmp_path / "config"))


def replace_catalog(folder: Path, change: Callable[[dict[str, dict[str, object]]], None]) -> None:
    """Write a new version as an operator's tool does: complete, then renamed into its place."""
    path = folder / "redis-databases.yaml"
    document = yaml.safe_load(path.read_text())
    change(document["databases"])
    complete = folder / ".new"
    complete.write_text(yaml.safe_dump(document, sort_keys=False))
    complete.rename(path)


def number_of_testing(number: int) -> Callable[[dict[str, dict[str, object]]], None]:
    return lambda databases: databases["testing"].update(number=number)


def ttl_of_sessions(seconds: int) -> Callable[[dict[str, dict[str, object]]], None]:
    return lambda databases: databases["sessions"].update(ttl_default=seconds)


def counted(redis_process: RedisProcess) -> int:
    """The sum of the counter over both numbers that the database had."""
    total = 0
    for number in (14, 15):
        with redis_process.operator(number) as client:
            total += int(client.get("test:counter") or 0)
    return total


async def test_no_request_fails_or_counts_twice_while_the_catalog_changes(
    redis_process: RedisProcess, act_as: Callable[[str], None], config: Path
) -> None:
    act_as("operator")
    manager = RedisDatabaseManager(config / "redis-databases.yaml")
    watch = CatalogWatch([config / "redis-databases.yaml"], lambda: manager.adopt(manager.read_settings()))
    adopted = refused = 0
    failures: list[Exception] = []

    async def request() -> None:
        try:
            await manager.get_async_connection("testing").incr("test:counter")
        except Exception as error:
            failures.append(error)

    async def change() -> None:
        nonlocal adopted, refused
        for round_number in itertools.count():
            replace_catalog(config, number_of_testing(14 + round_number % 2))
            watch.look()
            adopted += await asyncio.to_thread(watch.look)
            good = (config / "redis-databases.yaml").read_bytes()
            (config / "redis-databases.yaml").write_text("databases: {main: {number: nowhere}}")
            watch.look()
            assert not await asyncio.to_thread(watch.look)
            refused += bool(watch.refusal)
            (config / "redis-databases.yaml").write_bytes(good)
            await asyncio.sleep(0.05)

    changing = asyncio.create_task(change())
    requests: list[asyncio.Task[None]] = []
    began = time.monotonic()
    for number in range(int(REQUESTS_A_SECOND * SECONDS)):
        # By the clock and not by the answers: a slow answer doesn't hold back the next request.
        await asyncio.sleep(max(0.0, began + number / REQUESTS_A_SECOND - time.monotonic()))
        requests.append(asyncio.create_task(request()))
    await asyncio.gather(*requests)
    assert not changing.done()
    changing.cancel()
    await manager.close_all_async_connections()
    assert failures == []
    assert counted(redis_process) == len(requests)
    assert adopted > 10
    assert refused > 10


def test_threads_keep_working_while_the_catalog_changes(
    redis_process: RedisProcess, act_as: Callable[[str], None], config: Path
) -> None:
    act_as("operator")
    manager = RedisDatabaseManager(config / "redis-databases.yaml")
    manager.get_connection("testing").ping()
    failures: list[Exception] = []
    done = [0] * 4
    stop = threading.Event()

    def work(place: int) -> None:
        while not stop.is_set():
            try:
                manager.get_connection("testing").incr("test:counter")
                done[place] += 1
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(done))]
    for thread in threads:
        thread.start()
    for round_number in range(40):
        replace_catalog(config, number_of_testing(14 + round_number % 2))
        assert manager.reload()
        deadline = sum(done) + 50
        while sum(done) < deadline and not failures:
            time.sleep(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counted(redis_process) == sum(done)
    manager.close_all_connections()


def digest_of(agent: AgentProcess) -> dict[str, str]:
    check: dict[str, str] = agent.get("/health/chat").json()["checks"]["catalog:digest"][0]
    return check


def test_an_agent_takes_a_new_version_and_keeps_it_when_the_next_is_wrong(
    start_agent: StartAgent, redis_process: RedisProcess, config: Path
) -> None:
    agent = start_agent(
        "chat",
        REDIS_DATABASES_FILE=str(config / "redis-databases.yaml"),
        AGENTS_FILE=str(config / "agents.yaml"),
    )
    agent.wait_until_ready()
    first = digest_of(agent)
    assert first["status"] == "pass"

    replace_catalog(config, ttl_of_sessions(1234))
    agent.wait_until("/health/chat", lambda _: digest_of(agent)["observedValue"] != first["observedValue"])
    second = digest_of(agent)
    begun = agent.post("/chat/conversations", {"title": "new rules"}).json()
    assert begun["expires_in"] == 1234

    def take_away(databases: dict[str, dict[str, object]]) -> None:
        del databases["sessions"]

    replace_catalog(config, take_away)
    agent.wait_until("/health/chat", lambda answer: answer.json()["status"] == "warn")
    third = digest_of(agent)
    assert third["observedValue"] == second["observedValue"]
    assert "unknown database 'sessions'" in third["output"]
    assert agent.get(f"/chat/conversations/{begun['id']}").status_code == 200
    assert agent.get("/readyz").status_code == 200

    lines = [json.loads(line) for line in agent.output().splitlines() if line.startswith("{")]
    said = [line for line in lines if line["logger"] == "src.utils.catalog_watch"]
    assert [line["level"] for line in said] == ["INFO", "ERROR"]
    assert said[1]["message"].startswith(f"kept catalog {second['observedValue']}, refused ")


def test_an_agent_sees_a_database_that_it_is_granted_later(
    start_agent: StartAgent, redis_process: RedisProcess, config: Path
) -> None:
    redis_process.add_rules("chat", "(-@all +@read +@write +select|10 ~draft:*)")
    agent = start_agent(
        "chat",
        REDIS_DATABASES_FILE=str(config / "redis-databases.yaml"),
        AGENTS_FILE=str(config / "agents.yaml"),
    )
    agent.wait_until_ready()
    assert "redis.drafts:responseTime" not in agent.get("/health/chat").json()["checks"]
    row = {"number": 10, "key_patterns": ["draft:*"], "security_level": "low", "tier": "optional"}
    replace_catalog(config, lambda databases: databases.update(drafts=row))
    agents = yaml.safe_load((config / "agents.yaml").read_text())
    agents["agents"]["chat"]["databases"]["drafts"] = "read-write"
    (config / ".new").write_text(yaml.safe_dump(agents))
    (config / ".new").rename(config / "agents.yaml")
    agent.wait_until(
        "/health/chat",
        lambda answer: (
            answer.json()["checks"].get("redis.drafts:responseTime", [{}])[0].get("status") == "pass"
        ),
    )


async def test_an_agent_fails_no_request_while_the_catalog_changes(
    start_agent: StartAgent, redis_process: RedisProcess, config: Path
) -> None:
    agent = start_agent(
        "chat",
        LOG_LEVEL="WARNING",
        REDIS_DATABASES_FILE=str(config / "redis-databases.yaml"),
        AGENTS_FILE=str(config / "agents.yaml"),
    )
    agent.wait_until_ready()
    first = digest_of(agent)
    begun = agent.post("/chat/conversations", {"title": "load"}).json()
    path = f"/chat/conversations/{begun['id']}"
    statuses: list[int] = []
    digests = {first["observedValue"]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{agent.port}", timeout=30.0) as client:

        async def ask() -> None:
            while len(digests) < 3:
                statuses.append((await client.get(path)).status_code)

        async def change() -> None:
            for ttl in itertools.count(1000):
                replace_catalog(config, ttl_of_sessions(ttl))
                known = len(digests)
                while len(digests) == known:
                    health = (await client.get("/health/chat")).json()
                    digests.add(health["checks"]["catalog:digest"][0]["observedValue"])
                if known == 2:
                    return

        await asyncio.wait_for(asyncio.gather(change(), *(ask() for _ in range(8))), 60)
    assert set(statuses) == {200}
    assert len(statuses) > 100
