"""The chat agent over HTTP: conversations within their budget, kept in `sessions` and nowhere else."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml

from tests.component.agent_process import AgentProcess
from tests.component.ai_agents.conftest import StartLightAgent
from tests.component.redis_process import REPOSITORY, RedisProcess

SESSIONS = 6
DAY = 86_400
UNKNOWN = "0" * 32


@pytest.fixture(scope="module")
def chat(start_light: StartLightAgent) -> AgentProcess:
    agent = start_light("chat")
    agent.wait_until_ready()
    return agent


def begin(chat: AgentProcess, **options: object) -> dict[str, Any]:
    answer = chat.post("/chat/conversations", options)
    assert answer.status_code == 201, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def say(chat: AgentProcess, conversation: dict[str, Any], content: str, role: str = "user") -> httpx.Response:
    return chat.post(f"/chat/conversations/{conversation['id']}/messages", {"role": role, "content": content})


def read(chat: AgentProcess, conversation: dict[str, Any]) -> dict[str, Any]:
    answer = chat.get(f"/chat/conversations/{conversation['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def assert_problem(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]


@pytest.mark.parametrize(("encoding", "tokens"), [("tekken", 2), ("minilm", 10)])
def test_counts_tokens_in_the_encoding_that_is_asked_for(
    chat: AgentProcess, encoding: str, tokens: int
) -> None:
    answer = chat.post("/chat/tokens", {"text": "Hello wörld", "encoding": encoding})
    assert answer.json() == {"tokens": tokens, "characters": 11, "encoding": encoding}


def test_refuses_an_encoding_that_it_does_not_have(chat: AgentProcess) -> None:
    assert_problem(chat.post("/chat/tokens", {"text": "x", "encoding": "gpt"}), 422, "encoding")


def test_the_oldest_messages_go_when_the_budget_is_used_up_and_the_systems_last(chat: AgentProcess) -> None:
    begun = begin(chat, title="tides", budget=16)
    say(chat, begun, "answer in short sentences", "system")
    for number in range(5):
        answer = say(chat, begun, f"this is question number {number}")
        assert answer.status_code == 201
    kept = read(chat, begun)
    assert answer.json() == kept | {"expires_in": answer.json()["expires_in"]}
    assert [one["content"][-1] for one in kept["messages"]] == ["s", "3", "4"]
    assert (kept["tokens"], kept["dropped"], kept["budget"]) == (14, 3, 16)


def test_a_message_beyond_the_budget_is_refused_and_changes_nothing(chat: AgentProcess) -> None:
    begun = begin(chat, budget=16)
    say(chat, begun, "a b c")
    before = read(chat, begun)["messages"]
    assert_problem(say(chat, begun, "word " * 17), 422, "17 tokens", "budget is 16", "larger budget")
    assert read(chat, begun)["messages"] == before


def test_messages_that_come_at_the_same_time_are_all_kept(chat: AgentProcess) -> None:
    begun = begin(chat, budget=1000)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: say(chat, begun, f"number {number}"), range(24)))
    assert {answer.status_code for answer in answers} == {201}
    kept = read(chat, begun)
    assert {one["content"] for one in kept["messages"]} == {f"number {number}" for number in range(24)}
    assert (kept["tokens"], kept["dropped"]) == (48, 0)


def test_keeps_them_in_sessions_only_for_a_day_and_for_no_other_eye(
    chat: AgentProcess, server: RedisProcess
) -> None:
    begun = begin(chat, title="swordfish")
    say(chat, begun, "swordfish is the word")
    with server.operator(SESSIONS) as sessions:
        keys = [f"chat:conversation:{begun['id']}", f"chat:conversation:{begun['id']}:messages"]
        assert set(keys) < set(sessions.keys("*"))
        assert all(0 < sessions.ttl(key) <= DAY for key in [*keys, "chat:conversations"])
    written = b"".join(path.read_bytes() for path in server.folder.rglob("appendonly*.aof"))
    assert keys[1].encode() in written
    assert b"swordfish" not in written
    for number in {*range(16)} - {SESSIONS}:
        with server.operator(number) as other:
            assert not any(begun["id"] in str(key) for key in other.keys("*"))
    assert server.operator().acl_log() == []


def test_a_value_from_another_conversation_does_not_open_and_the_caller_learns_nothing_of_it(
    chat: AgentProcess, server: RedisProcess
) -> None:
    first, second = begin(chat, title="first"), begin(chat, title="second")
    with redis.Redis(
        port=server.port, db=SESSIONS, username="operator", password=server.passwords["operator"]
    ) as sessions:
        title = sessions.hget(f"chat:conversation:{first['id']}", "title")
        assert isinstance(title, bytes)
        sessions.hset(f"chat:conversation:{second['id']}", "title", title)
    answer = chat.get(f"/chat/conversations/{second['id']}")
    assert_problem(answer, 500, "can't be opened")
    assert "title" not in answer.json()["detail"]
    assert read(chat, first)["title"] == "first"
    assert second["id"] in chat.output()


def test_lists_the_last_active_first_and_forgets_those_whose_time_is_over(
    chat: AgentProcess, server: RedisProcess
) -> None:
    first, second = begin(chat), begin(chat)
    say(chat, first, "again")
    server.operator(SESSIONS).zadd("chat:conversations", {UNKNOWN: 1})
    say(chat, first, "and again")
    assert chat.get("/chat/conversations?limit=2").json() == [first["id"], second["id"]]
    assert UNKNOWN not in chat.get("/chat/conversations?limit=100").json()
    assert_problem(chat.get("/chat/conversations?limit=0"), 422, "limit")


def test_a_deleted_conversation_is_gone_from_everywhere(chat: AgentProcess, server: RedisProcess) -> None:
    begun = begin(chat)
    say(chat, begun, "forget me")
    with chat.client as client:
        path = f"/chat/conversations/{begun['id']}"
        assert client.delete(path).status_code == 204
        assert_problem(client.delete(path), 404, begun["id"])
    assert not any(begun["id"] in str(key) for key in server.operator(SESSIONS).keys("*"))
    assert begun["id"] not in chat.get("/chat/conversations?limit=100").json()


def test_an_unknown_conversation_is_a_problem_and_no_new_one(chat: AgentProcess) -> None:
    assert_problem(chat.get(f"/chat/conversations/{UNKNOWN}"), 404, UNKNOWN)
    assert_problem(say(chat, {"id": UNKNOWN}, "x"), 404, UNKNOWN)
    assert_problem(chat.get("/chat/conversations/no-id"), 422, "identifier")
    assert_problem(chat.get(f"/chat/conversations/{UNKNOWN}"), 404)


def test_keeps_conversations_for_ever_where_the_catalog_sets_no_time(
    start_light: StartLightAgent, server: RedisProcess, tmp_path: Path
) -> None:
    config = shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    catalog = yaml.safe_load((config / "redis-databases.yaml").read_text())
    del catalog["databases"]["sessions"]["ttl_default"]
    (config / "redis-databases.yaml").write_text(yaml.safe_dump(catalog))
    chat = start_light("chat", REDIS_DATABASES_FILE=str(config / "redis-databases.yaml"))
    chat.wait_until_ready()
    begun = begin(chat, title="minutes")
    assert begun["expires_in"] is None
    say(chat, begun, "we met")
    assert read(chat, begun)["expires_in"] is None
    assert server.operator(SESSIONS).ttl(f"chat:conversation:{begun['id']}:messages") == -1


def test_does_not_start_without_data_keys_and_says_so_in_json(start_light: StartLightAgent) -> None:
    agent = start_light("chat", DATA_KEYS_FILE="/nonexistent/data_keys")
    assert agent.process is not None
    assert agent.process.wait(timeout=60) == 2
    line = json.loads(agent.output().splitlines()[-1])
    assert (line["level"], line["agent"]) == ("ERROR", "chat")
    assert "/nonexistent/data_keys" in line["message"]
    assert "inv config.init" in line["hint"]
