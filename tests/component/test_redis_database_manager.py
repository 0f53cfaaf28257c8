"""The manager against a real server, with the users that agents have."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import exceptions
from redis.exceptions import AuthenticationError, NoPermissionError

from src.utils.redis_client import (
    get_redis_client,
    get_redis_health,
    get_redis_metrics,
    reset_redis_clients,
)
from src.utils.redis_database_manager import RedisDatabaseManager, redis_db_manager
from tests.component.redis_process import RedisProcess, load_catalog

ActAs = Callable[[str], None]


def connections(server: RedisProcess, name: str, number: int) -> int:
    return sum(
        1 for row in server.operator().client_list() if row["name"] == name and int(row["db"]) == number
    )


def test_each_connection_is_bound_to_the_database_of_its_name(
    redis_process: RedisProcess, act_as: ActAs
) -> None:
    act_as("operator")
    for name, row in load_catalog("redis-databases.yaml")["databases"].items():
        client = get_redis_client(database=name)
        assert int(client.client_info()["db"]) == row["number"], name
        client.set(f"where:{name}", "here")
    for name, row in load_catalog("redis-databases.yaml")["databases"].items():
        assert redis_process.operator(row["number"]).keys("where:*") == [f"where:{name}"]


def test_an_agent_reaches_what_it_is_granted_and_nothing_else(act_as: ActAs) -> None:
    act_as("chat")
    sessions = get_redis_client(database="sessions")
    assert sessions.set("chat:x", "1")
    assert sessions.get("chat:x") == "1"
    with pytest.raises(NoPermissionError):
        sessions.set("fact:1", "1")
    with pytest.raises(NoPermissionError):
        get_redis_client(database="vectors").ping()
    assert get_redis_health()["vectors"]["status"] == "denied"
    assert get_redis_health()["sessions"]["status"] == "pass"


def test_connecting_as_an_agent_leaves_no_refusal_in_the_servers_log(
    redis_process: RedisProcess, act_as: ActAs
) -> None:
    act_as("npu")
    get_redis_client(database="models").ping()
    assert redis_process.operator().acl_log() == []


def test_information_says_what_an_agent_may_not_look_at(act_as: ActAs) -> None:
    act_as("chat")
    information = redis_db_manager.get_database_info()
    assert information["sessions"]["reachable"]
    assert information["sessions"]["keys"] is None
    assert "DBSIZE" in information["sessions"]["not_seen"][0]
    assert not information["vectors"]["reachable"]
    assert "select" in information["vectors"]["not_seen"][0]


def test_information_counts_keys_for_whoever_may(redis_process: RedisProcess, act_as: ActAs) -> None:
    redis_process.operator(6).set("session:1", "x")
    act_as("operator")
    assert redis_db_manager.get_database_info()["sessions"]["keys"] == 1


def test_separation_holds_for_an_agent_as_far_as_it_sees(act_as: ActAs) -> None:
    act_as("chat")
    report = redis_db_manager.validate_database_separation()
    assert report
    assert set(report.checked) == set(load_catalog("agents.yaml")["agents"]["chat"]["databases"])
    assert any(line.startswith("vectors:") for line in report.not_seen)
    assert any("SCAN" in line for line in report.not_seen)


def test_a_stray_key_is_found_by_whoever_may_look(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("operator")
    assert redis_db_manager.validate_database_separation()
    redis_process.operator(2).set("session:stray", "x")
    report = redis_db_manager.validate_database_separation()
    assert not report
    assert report.problems == ["prompts: key 'session:stray' belongs to sessions"]


def test_many_threads_stay_within_the_bound(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("chat")
    client = get_redis_client(database="agents")
    bound = redis_db_manager.entry("agents").pool_bound
    keys = [f"autobot:agent_comm:{number}" for number in range(5)]
    with ThreadPoolExecutor(24) as threads:
        list(threads.map(lambda number: client.incr(keys[number % 5]), range(600)))
    assert client.mget(keys) == ["120"] * 5
    assert 1 <= connections(redis_process, "chat", 3) <= bound
    assert get_redis_metrics()["agents"]["bound"] == bound


def test_a_right_to_write_alone_takes_values_but_counts_nothing(act_as: ActAs) -> None:
    act_as("chat")
    metrics = get_redis_client(database="metrics")
    assert metrics.hset("autobot:sandbox:metrics:chat", "requests", "7") == 1
    # An increment answers with the new value, and that is reading.
    with pytest.raises(NoPermissionError):
        metrics.hincrby("autobot:sandbox:metrics:chat", "requests", 1)


def test_many_tasks_stay_within_the_bound(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("chat")

    async def work() -> int:
        client = get_redis_client(async_client=True, database="sessions")
        await asyncio.gather(*(client.incr("chat:n") for _ in range(300)))
        await asyncio.gather(*(client.get("chat:n") for _ in range(100)))
        open_now = connections(redis_process, "chat", 6)
        await redis_db_manager.close_all_async_connections()
        return open_now

    assert 1 <= asyncio.run(work()) <= redis_db_manager.entry("sessions").pool_bound
    assert redis_process.operator(6).get("chat:n") == "300"


def test_each_event_loop_has_connections_of_its_own(act_as: ActAs) -> None:
    act_as("chat")
    clients = []

    async def work() -> None:
        client = get_redis_client(async_client=True, database="sessions")
        clients.append(client)
        await client.incr("chat:loops")
        await redis_db_manager.close_all_async_connections()

    asyncio.run(work())
    asyncio.run(work())
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()
    assert len({id(client) for client in clients}) == 3
    assert get_redis_client(database="sessions").get("chat:loops") == "3"


def test_a_forked_child_opens_its_own_connections(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("chat")
    client = get_redis_client(database="sessions")
    parents = int(client.client_id())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # the child must end here, whatever happens: it is a copy of the test runner
        try:
            # A client from before the fork, and a new one.
            new_client = get_redis_client(database="sessions")
            if new_client is not client:
                os.write(writing, f"{client.client_id()} {new_client.client_id()}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        identifiers = [int(word) for word in pipe.read().split()]
    assert len(identifiers) == 2
    assert parents not in identifiers
    assert int(client.client_id()) == parents


def test_a_fork_within_an_event_loop_leaves_the_parents_connections_alone(act_as: ActAs) -> None:
    act_as("chat")

    async def work() -> None:
        client = get_redis_client(async_client=True, database="sessions")
        before = await client.client_id()
        child = os.fork()
        if child == 0:
            try:
                # Notices the fork and forgets the parent's clients.
                get_redis_client(database="sessions")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert await client.client_id() == before
        await redis_db_manager.close_all_async_connections()

    asyncio.run(work())


def test_a_rotated_password_needs_no_restart(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("chat")
    client = get_redis_client(database="sessions")
    client.ping()
    redis_process.passwords["chat"] = "rotated"
    # Connections are cut with it; the next ones read the file again.
    redis_process.stop()
    redis_process.write_rules()
    redis_process.start()
    assert client.ping()


def test_a_wrong_password_is_an_authentication_error(redis_process: RedisProcess, act_as: ActAs) -> None:
    act_as("chat")
    redis_process.password_file("chat").write_text("wrong", encoding="utf-8")
    with pytest.raises(AuthenticationError):
        get_redis_client(database="sessions").ping()


def test_a_missing_password_file_is_an_authentication_error(
    redis_process: RedisProcess, act_as: ActAs
) -> None:
    act_as("chat")
    redis_process.password_file("chat").unlink()
    with pytest.raises(AuthenticationError, match="cannot read the password file"):
        get_redis_client(database="sessions").ping()


def test_a_restart_of_the_server_is_survived_without_a_hand(
    redis_process: RedisProcess, act_as: ActAs
) -> None:
    act_as("chat")
    client = get_redis_client(database="sessions")
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("chat:transaction", "kept")
        pipeline.set("chat:other", "kept")
        pipeline.execute()
    redis_process.stop()
    with pytest.raises(exceptions.ConnectionError):
        client.ping()
    redis_process.start()
    # In a transaction, on purpose: the server replays those with the rights of its default user.
    assert client.mget(["chat:transaction", "chat:other"]) == ["kept", "kept"]


def test_a_reload_moves_clients_to_the_new_number_and_keeps_the_old_on_an_error(
    act_as: ActAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as("operator")
    manager = RedisDatabaseManager()
    assert int(manager.get_connection("testing").client_info()["db"]) == 15
    monkeypatch.setenv("REDIS_DB_TESTING", "14")
    assert manager.reload()
    assert int(manager.get_connection("testing").client_info()["db"]) == 14
    monkeypatch.setenv("REDIS_DB_TESTING", "0")
    assert not manager.reload()
    assert int(manager.get_connection("testing").client_info()["db"]) == 14
    manager.close_all_connections()


def test_closing_closes_every_connection_and_the_clients_still_work(
    redis_process: RedisProcess, act_as: ActAs
) -> None:
    act_as("chat")
    client = get_redis_client(database="sessions")
    client.ping()
    assert connections(redis_process, "chat", 6) == 1
    reset_redis_clients()
    assert connections(redis_process, "chat", 6) == 0
    assert client.ping()
    client.close()
    client.connection_pool.disconnect()
