"""The record of requests that an agent leaves in `metrics`: complete even when the agent is told to stop."""

from __future__ import annotations

import json
import signal

from src.agents import usage
from tests.component.conftest import StartAgent
from tests.component.redis_process import RedisProcess

KEY = "autobot:sandbox:metrics:chat:requests"


def test_every_answered_request_is_recorded_when_the_agent_stops(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agent = start_agent("chat")
    agent.wait_until_ready()
    metrics = redis_process.operator(4)
    with agent.client as client:
        for _ in range(120):
            assert client.get("/chat/conversations").status_code == 200
        assert client.get("/nowhere").status_code == 404
        assert client.post("/chat/tokens", json={"text": "a b c"}).status_code == 200
    # Uvicorn ends by the signal that it was sent, once everything is closed.
    assert agent.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    records = [json.loads(line) for line in metrics.lrange(KEY, 0, -1)]
    assert len(records) == 122
    assert {record["route"] for record in records} == {"/chat/conversations", "/chat/tokens", "unmatched"}
    assert records[-2]["status"] == 404
    assert records[-1]["method"] == "POST"
    assert records[-1]["milliseconds"] > 0
    assert 0 < metrics.ttl(KEY) <= 604_800


def test_the_record_does_not_grow_for_ever(start_agent: StartAgent, redis_process: RedisProcess) -> None:
    metrics = redis_process.operator(4)
    metrics.rpush(KEY, *(["{}"] * 5000))
    agent = start_agent("chat")
    agent.wait_until_ready()
    agent.get("/chat/conversations")
    agent.stop()
    assert metrics.llen(KEY) <= usage.RECORDS_KEPT + usage.CUT_EVERY


def test_requests_are_answered_while_redis_can_not_be_reached(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agent = start_agent("chat")
    agent.wait_until_ready()
    redis_process.stop()
    for _ in range(5):
        assert agent.post("/chat/tokens", {"text": "a b c"}).status_code == 200
    redis_process.start()
    agent.stop()
    assert redis_process.operator(4).llen(KEY) == 5
