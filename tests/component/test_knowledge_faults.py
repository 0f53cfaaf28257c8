"""What the knowledge agent says and does when its PostgreSQL is frozen, or another, empty one."""

from __future__ import annotations

import time

import pytest

from src.agents.knowledge import STORE_SECONDS
from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.postgres_process import PostgresProcess

ENTRY = {"title": "Tides", "content": "The moon pulls the oceans."}
# On a machine that does other things an answer is later than its deadline, but not by much.
LATE_SECONDS = 8.0


@pytest.fixture
def agent(start_agent: StartAgent, postgres_process: PostgresProcess) -> AgentProcess:
    started = start_agent("knowledge", **postgres_process.environment())
    started.wait_until_ready()
    return started


def test_a_write_to_a_frozen_postgresql_is_answered_before_it_thaws(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    # The first one leaves an open connection in the pool: the next one hangs on it, not on connecting.
    assert agent.post("/knowledge/entries", ENTRY).status_code == 201
    postgres_process.freeze()
    began = time.monotonic()
    try:
        answer = agent.post("/knowledge/entries", ENTRY)
        seconds = time.monotonic() - began
    finally:
        postgres_process.thaw()
    assert answer.status_code == 503, answer.text
    assert "PostgreSQL" in answer.json()["detail"]
    assert seconds < STORE_SECONDS + LATE_SECONDS
    agent.wait_until_ready()
    assert agent.post("/knowledge/entries", ENTRY).status_code == 201


def test_missing_tables_make_it_not_ready_and_say_so(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    # The record of migrations stays, so that this is nothing the agent can mend by itself.
    postgres_process.execute("DROP TABLE knowledge.entries", database="autobot")
    answer = agent.wait_until("/readyz", lambda one: one.status_code == 503)
    assert "the tables of schema knowledge are missing" in answer.text
    assert agent.get("/livez").status_code == 200


def test_an_empty_postgresql_gets_its_tables_with_no_hand(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    assert agent.post("/knowledge/entries", ENTRY).status_code == 201
    postgres_process.fresh_database()
    agent.wait_until_ready()
    stored = agent.post("/knowledge/entries", ENTRY)
    assert (stored.status_code, stored.json()["mirrored"]) == (201, True)
    hits = agent.get("/knowledge/search?q=moon").json()["hits"]
    assert [hit["id"] for hit in hits] == [stored.json()["id"]]


def test_a_request_that_meets_no_tables_is_answered_with_503(
    agent: AgentProcess, postgres_process: PostgresProcess
) -> None:
    postgres_process.execute("DROP TABLE knowledge.entries", database="autobot")
    answer = agent.post("/knowledge/entries", ENTRY)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
