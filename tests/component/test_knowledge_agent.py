"""The knowledge agent with real PostgreSQL, a real index and a real mirror in Redis."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from src.agents.knowledge_store import MIGRATION_LOCK
from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.postgres_process import PostgresProcess
from tests.component.redis_process import RedisProcess

TIDES = {
    "title": "Tides",
    "content": "The moon pulls the oceans, and so the tides rise twice a day.",
    "tags": ["sea", "Moon"],
    "source": "https://example.com/tides",
}
BREAD = {"title": "Bread", "content": "Yeast makes dough rise; an oven makes it bread."}


@pytest.fixture
def agent(start_agent: StartAgent, postgres_process: PostgresProcess) -> AgentProcess:
    started = start_agent("knowledge", **postgres_process.environment())
    started.wait_until_ready()
    return started


def add(agent: AgentProcess, entry: dict[str, Any]) -> dict[str, Any]:
    answer = agent.post("/knowledge/entries", entry)
    assert answer.status_code == 201, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


def found(agent: AgentProcess, query: str) -> list[int]:
    with agent.client as client:
        answer = client.get("/knowledge/search", params={"q": query})
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def delete(agent: AgentProcess, identifier: object) -> httpx.Response:
    with agent.client as client:
        return client.delete(f"/knowledge/entries/{identifier}")


def facts(server: RedisProcess) -> set[str]:
    return set(map(str, server.operator(1).keys("*")))


def spoil_files(folder: Path) -> None:
    tables = list(folder.rglob("*.toc"))
    assert tables
    for path in tables:
        path.write_bytes(b"\x00\x01garbage")


def test_an_entry_is_stored_found_and_mirrored(agent: AgentProcess, redis_process: RedisProcess) -> None:
    stored = add(agent, dict(TIDES))
    assert stored["mirrored"]
    assert agent.get(f"/knowledge/entries/{stored['id']}").json() == stored
    assert {name: stored[name] for name in TIDES} == TIDES
    fact = redis_process.operator(1).hgetall(f"fact:{stored['id']}")
    assert fact["title"] == "Tides"
    assert redis_process.operator(1).get("fact_id_counter") == str(stored["id"])


def test_the_entry_with_more_of_the_words_comes_first_with_the_place_marked(agent: AgentProcess) -> None:
    bread, tides = add(agent, dict(BREAD)), add(agent, dict(TIDES))
    assert found(agent, "rising tide") == [tides["id"], bread["id"]]
    assert found(agent, "title:bread") == [bread["id"]]
    assert found(agent, "tags:moon") == [tides["id"]]
    assert found(agent, '"twice a day"') == [tides["id"]]
    hits = agent.get("/knowledge/search?q=oceans").json()["hits"]
    assert "*oceans*" in hits[0]["snippet"]


@pytest.mark.parametrize("query", ['title:"(', "AND", "*", "a:b:c", "[x TO", "'"])
def test_no_query_makes_it_fail(agent: AgentProcess, query: str) -> None:
    add(agent, dict(TIDES))
    found(agent, query)


def test_a_deleted_entry_is_gone_everywhere(
    agent: AgentProcess, redis_process: RedisProcess, postgres_process: PostgresProcess
) -> None:
    stored = add(agent, dict(TIDES))
    assert delete(agent, stored["id"]).status_code == 204
    assert delete(agent, stored["id"]).status_code == 404
    assert agent.get(f"/knowledge/entries/{stored['id']}").status_code == 404
    assert found(agent, "tides") == []
    assert facts(redis_process) == {"fact_id_counter"}
    assert postgres_process.execute("SELECT count(*) FROM knowledge.entries", database="autobot") == [(0,)]


@pytest.mark.parametrize(
    "entry",
    [
        {"title": "", "content": "x"},
        {"title": "x"},
        {"title": "x", "content": "a\x00b"},
        {"title": "x", "content": "x", "tags": ["a,b"]},
    ],
)
def test_refuses_an_entry_that_cannot_be_stored(agent: AgentProcess, entry: dict[str, object]) -> None:
    assert agent.post("/knowledge/entries", entry).status_code == 422


def test_entries_added_at_the_same_time_are_all_stored_found_and_mirrored(
    agent: AgentProcess, redis_process: RedisProcess
) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(
            threads.map(lambda n: add(agent, {"title": f"t{n}", "content": "same word"})["id"], range(24))
        )
    assert len(set(numbers)) == 24
    assert redis_process.operator(1).get("fact_id_counter") == str(max(numbers))
    assert len(facts(redis_process)) == 25
    assert len(agent.get("/knowledge/search?q=same&limit=100").json()["hits"]) == 24


def test_entries_that_come_and_go_at_the_same_time_leave_no_fact(
    agent: AgentProcess, redis_process: RedisProcess
) -> None:
    def come_and_go(number: int) -> int:
        return delete(agent, add(agent, {"title": f"t{number}", "content": "x"})["id"]).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(come_and_go, range(16))) == {204}
    assert facts(redis_process) == {"fact_id_counter"}


def test_postgresql_away_makes_it_not_ready_but_alive_and_it_recovers_by_itself(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    stored = add(agent, dict(TIDES))
    postgres_process.stop()
    answer = agent.wait_until("/readyz", lambda one: one.status_code == 503)
    assert "postgres" in answer.text
    assert agent.get("/livez").status_code == 200
    health = agent.get("/health/knowledge")
    assert (health.status_code, health.json()["status"]) == (503, "fail")
    refused = agent.get(f"/knowledge/entries/{stored['id']}")
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    postgres_process.start()
    agent.wait_until_ready()
    assert agent.get(f"/knowledge/entries/{stored['id']}").json() == stored


def test_it_starts_without_postgresql_and_becomes_ready_when_it_comes(
    start_agent: StartAgent, postgres_process: PostgresProcess
) -> None:
    postgres_process.stop()
    agent = start_agent("knowledge", **postgres_process.environment())
    agent.wait_until(
        "/health/knowledge", lambda one: one.json()["checks"]["knowledge-store:state"][0]["status"] == "fail"
    )
    postgres_process.start()
    agent.wait_until_ready()
    add(agent, dict(TIDES))


def test_entries_stored_while_redis_is_away_are_mirrored_later(
    agent: AgentProcess, redis_process: RedisProcess
) -> None:
    kept, doomed = add(agent, dict(TIDES)), add(agent, dict(BREAD))
    redis_process.stop()
    late = add(agent, {"title": "Late", "content": "Stored without Redis."})
    assert late["mirrored"] is False
    assert delete(agent, doomed["id"]).status_code == 204
    assert found(agent, "stored") == [late["id"]]
    redis_process.start()
    agent.wait_until(f"/knowledge/entries/{late['id']}", lambda answer: bool(answer.json()["mirrored"]))
    expected = {"fact_id_counter", f"fact:{kept['id']}", f"fact:{late['id']}"}
    assert facts(redis_process) == expected


@pytest.mark.parametrize("spoil", [shutil.rmtree, spoil_files])
def test_a_lost_or_damaged_index_is_made_again_from_postgresql(
    agent: AgentProcess,
    start_agent: StartAgent,
    postgres_process: PostgresProcess,
    spoil: Callable[[Path], None],
) -> None:
    tides, bread = add(agent, dict(TIDES)), add(agent, dict(BREAD))
    agent.stop()
    spoil(agent.folder / "data" / "whoosh")
    again = start_agent("knowledge", **postgres_process.environment())
    again.wait_until_ready()
    assert sorted(found(again, "rise")) == [tides["id"], bread["id"]]


def test_an_index_that_missed_changes_catches_up_at_the_start(
    agent: AgentProcess, start_agent: StartAgent, postgres_process: PostgresProcess
) -> None:
    add(agent, dict(TIDES))
    agent.stop()
    postgres_process.execute(
        "DELETE FROM knowledge.entries",
        "INSERT INTO knowledge.entries (title, content) VALUES ('New', 'Written by a restore.')",
        database="autobot",
    )
    again = start_agent("knowledge", **postgres_process.environment())
    again.wait_until_ready()
    assert found(again, "tides") == []
    assert len(found(again, "restore")) == 1


def test_agents_that_start_at_the_same_time_migrate_once(
    start_agent: StartAgent, postgres_process: PostgresProcess, tmp_path: Path
) -> None:
    environment = postgres_process.environment()
    agents = [
        start_agent("knowledge", AGENT_DATA_DIR=str(tmp_path / f"data-{number}"), **environment)
        for number in range(3)
    ]
    for agent in agents:
        agent.wait_until_ready()
    versions = postgres_process.execute(
        "SELECT version_num FROM knowledge.alembic_version", database="autobot"
    )
    assert versions == [("0001",)]


def test_a_migration_waits_for_the_one_that_runs(
    start_agent: StartAgent, postgres_process: PostgresProcess
) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with postgres_process.connection("autobot") as other:
        other.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        agent = start_agent("knowledge", **postgres_process.environment())
        agent.wait_until("/livez", lambda _: postgres_process.execute(waiting) == [(1,)])
        assert postgres_process.execute("SELECT to_regclass('knowledge.entries')", database="autobot") == [
            (None,)
        ]
    agent.wait_until_ready()


def test_a_rotated_password_needs_no_restart(agent: AgentProcess, postgres_process: PostgresProcess) -> None:
    stored = add(agent, dict(TIDES))
    postgres_process.set_password("rotated")
    postgres_process.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'knowledge'"
    )
    agent.wait_until_ready()
    assert agent.get(f"/knowledge/entries/{stored['id']}").status_code == 200


def test_it_needs_no_right_beyond_its_own_schema(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    add(agent, dict(TIDES))
    with psycopg.connect(
        host="127.0.0.1",
        port=postgres_process.port,
        user="knowledge",
        password=postgres_process.password,
        dbname="autobot",
        autocommit=True,
    ) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE SCHEMA other")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.t (x int)")


def test_postgresql_that_hangs_does_not_hold_up_health(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    postgres_process.freeze()
    try:
        answer = agent.get("/readyz")
        assert answer.status_code == 503
        assert answer.elapsed.total_seconds() < 2.5
    finally:
        postgres_process.thaw()
    agent.wait_until_ready()


def test_the_mirror_is_refused_nothing_by_the_agents_rights(
    agent: AgentProcess, redis_process: RedisProcess
) -> None:
    stored = add(agent, dict(TIDES))
    delete(agent, stored["id"])
    assert redis_process.operator().acl_log() == []
