"""What the chat agent leaves in Redis: nothing that was said, and nothing that opens elsewhere."""

from __future__ import annotations

import pytest
import redis

from src.utils.envelope import is_envelope
from tests.component.conftest import StartAgent
from tests.component.redis_process import RedisProcess

# Words, because timestamps in the append-only file may hold any digits.
SECRET = "the launch code is swordfish"


@pytest.fixture
def sessions(redis_process: RedisProcess) -> redis.Redis:
    return redis.Redis(
        port=redis_process.port, db=6, username="operator", password=redis_process.passwords["operator"]
    )


def test_keeps_a_conversation_that_only_it_can_read(
    start_agent: StartAgent, redis_process: RedisProcess, sessions: redis.Redis
) -> None:
    agent = start_agent("chat")
    agent.wait_until_ready()
    begun = agent.post("/chat/conversations", {"title": SECRET, "budget": 60}).json()
    path = f"/chat/conversations/{begun['id']}"
    for number in range(8):
        answer = agent.post(f"{path}/messages", {"role": "user", "content": f"{SECRET}, {number}"})
        assert answer.status_code == 201, answer.text
    kept = agent.get(path).json()
    assert kept["title"] == SECRET
    assert kept["messages"][-1]["content"].endswith(", 7")
    assert kept["dropped"] == 8 - len(kept["messages"]) > 0
    assert agent.get("/chat/conversations").json() == [begun["id"]]

    key = f"chat:conversation:{begun['id']}"
    values = [*sessions.hgetall(key).values(), *sessions.lrange(f"{key}:messages", 0, -1)]
    assert len(values) == 4 + len(kept["messages"])
    assert all(isinstance(value, bytes) and is_envelope(value) for value in values)
    assert 0 < sessions.ttl(f"{key}:messages") <= 86400
    written = b"".join(path.read_bytes() for path in redis_process.folder.rglob("appendonly*.aof"))
    assert key.encode() in written
    assert b"swordfish" not in written

    other = agent.post("/chat/conversations", {"title": "another"}).json()
    sessions.hset(f"chat:conversation:{other['id']}", "title", sessions.hget(key, "title") or b"")
    refused = agent.get(f"/chat/conversations/{other['id']}")
    assert refused.status_code == 500
    assert "can't be opened" in refused.json()["detail"]
    assert other["id"] in agent.output()


def test_does_not_start_without_data_keys_and_says_what_makes_them(start_agent: StartAgent) -> None:
    agent = start_agent("chat", DATA_KEYS_FILE="/nonexistent/data_keys")
    assert agent.process is not None
    assert agent.process.wait(timeout=30) == 2
    assert "/nonexistent/data_keys" in agent.output()
    assert "inv config.init" in agent.output()
