"""The shared server as a process: readiness, recovery, logs, signals. Research needs no model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.redis_process import REPOSITORY, RedisProcess, load_catalog
from tests.component.web_server import WebServer

HEALTH_SECONDS = 10.0
"""Far above what a check may take, far below the minutes for which a frozen server would hold it."""

ALL_AGENTS = "Use one of chat, knowledge, npu, rag, research."


def log_lines(agent: AgentProcess) -> list[dict[str, object]]:
    return [json.loads(line) for line in agent.output().splitlines()]


def test_health_shows_each_granted_database_with_its_number(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agent = start_agent("research")
    agent.wait_until_ready()
    document = agent.get("/health/research").json()
    assert (document["status"], document["serviceId"], document["version"]) == ("pass", "research", "9.9.9")
    numbers = load_catalog("redis-databases.yaml")["databases"]
    for name in load_catalog("agents.yaml")["agents"]["research"]["databases"]:
        (check,) = document["checks"][f"redis.{name}:responseTime"]
        assert check["status"] == "pass"
        assert check["componentId"] == str(numbers[name]["number"])
        assert 0 < check["observedValue"] < 1000
        assert check["observedUnit"] == "ms"
    assert redis_process.operator().acl_log() == []


def test_redis_away_makes_it_not_ready_but_alive_and_it_recovers_by_itself(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agent = start_agent("research")
    agent.wait_until_ready()
    redis_process.stop()
    agent.wait_until("/readyz", lambda answer: answer.status_code == 503)
    assert agent.get("/livez").status_code == 200
    health = agent.get("/health/research")
    assert (health.status_code, health.json()["status"]) == (503, "fail")
    redis_process.start()
    agent.wait_until_ready()
    assert agent.process is not None
    assert agent.process.poll() is None


def test_redis_that_hangs_does_not_hold_up_health(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agent = start_agent("research")
    agent.wait_until_ready()
    redis_process.freeze()
    try:
        began = time.monotonic()
        answer = agent.get("/health/research")
        assert time.monotonic() - began < HEALTH_SECONDS
        assert answer.status_code == 503
        assert "no answer within 1 s" in answer.json()["output"]
        assert agent.get("/livez").elapsed.total_seconds() < HEALTH_SECONDS
    finally:
        redis_process.thaw()
    agent.wait_until_ready()


def test_a_request_that_needs_redis_while_it_is_away_is_told_so(
    start_agent: StartAgent, redis_process: RedisProcess, website: WebServer
) -> None:
    agent = start_agent("research", RESEARCH_ALLOW_PRIVATE="1")
    agent.wait_until_ready()
    redis_process.stop()
    answer = agent.post("/research/fetch", {"url": website.url("/article")})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    assert (
        'autobot_redis_errors_total{agent="research",error="ConnectionError"} 1.0'
        in agent.get("/metrics").text
    )


def test_a_wrong_password_is_named_and_ends_when_it_is_right(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    redis_process.password_file("research").write_text("wrong", encoding="utf-8")
    agent = start_agent("research")
    answer = agent.wait_until("/readyz", lambda one: one.status_code == 503)
    assert "AuthenticationError" in answer.text
    redis_process.password_file("research").write_text(redis_process.passwords["research"], encoding="utf-8")
    agent.wait_until_ready()


def test_all_agents_together_stay_below_the_alert_for_connections(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    agents = [start_agent("research"), start_agent("research"), start_agent("research")]
    for agent in agents:
        agent.wait_until_ready()
    # Three of one kind hammer more than one each of five kinds would.
    threads = [
        threading.Thread(target=lambda one=agent: [one.get("/readyz") for _ in range(15)])
        for agent in agents
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts: dict[int, int] = {}
    for row in redis_process.operator().client_list():
        if row["user"] == "research":
            counts[int(row["db"])] = counts.get(int(row["db"]), 0) + 1
    alerts = {
        row["number"]: row["alerts"]["connections"]
        for row in load_catalog("redis-databases.yaml")["databases"].values()
    }
    # `workflows` is research's alone, so its bound is for one process: not counted here.
    shared = {number: count for number, count in counts.items() if number in (2, 3, 4, 5)}
    assert shared
    assert all(count < alerts[number] for number, count in shared.items())


def test_sigterm_lets_the_request_in_flight_finish(start_agent: StartAgent, website: WebServer) -> None:
    agent = start_agent("research", RESEARCH_ALLOW_PRIVATE="1")
    agent.wait_until_ready()
    answers: list[httpx.Response] = []
    request = threading.Thread(
        target=lambda: answers.append(agent.post("/research/fetch", {"url": website.url("/slow")}))
    )
    request.start()
    assert website.asked_for_slow.wait(20)
    assert agent.process is not None
    agent.process.send_signal(signal.SIGTERM)
    website.answer_slow.set()
    request.join(30)
    assert [answer.status_code for answer in answers] == [200]
    assert agent.process.wait(20) in (0, -signal.SIGTERM)


def test_every_line_of_output_is_json_with_time_level_and_agent(start_agent: StartAgent) -> None:
    agent = start_agent("research")
    agent.wait_until_ready()
    agent.get("/nowhere")
    agent.post("/research/fetch", {"url": "http://127.0.0.1/"})
    agent.stop()
    lines = log_lines(agent)
    assert lines
    for line in lines:
        assert {"time", "level", "agent", "message"} <= line.keys()
        assert line["agent"] == "research"
    assert {line["route"] for line in lines if "route" in line} >= {"unmatched", "/research/fetch"}
    in_file = (agent.folder / "logs" / "research.log").read_text(encoding="utf-8")
    assert in_file == agent.output()


def test_no_secret_is_in_the_output(start_agent: StartAgent, redis_process: RedisProcess) -> None:
    agent = start_agent("research", LOG_LEVEL="DEBUG")
    agent.wait_until_ready()
    redis_process.stop()
    agent.get("/health/research")
    agent.stop()
    assert redis_process.passwords["research"] not in agent.output()


def test_a_log_folder_that_cannot_be_written_is_one_warning(start_agent: StartAgent, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    agent = start_agent("research", AGENT_LOG_DIR=str(tmp_path / "file"))
    agent.wait_until_ready()
    agent.stop()
    assert [line["level"] for line in log_lines(agent)].count("WARNING") == 1


@pytest.mark.parametrize("name", ["reserch", ""])
def test_a_wrong_name_ends_with_status_2_in_one_line_of_json_with_a_hint(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "src.agents"],
        cwd=REPOSITORY,
        env={"AGENT_NAME": name, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    line = json.loads(ended.stdout)
    assert (line["level"], line["agent"]) == ("ERROR", name or "unknown")
    assert line["time"].endswith("+00:00")
    assert f"AGENT_NAME is {name!r}" in line["message"]
    assert line["hint"] == ("Did you mean 'research'?" if name else ALL_AGENTS)
    assert ended.stderr == ""


def test_a_wrong_catalog_ends_with_status_2_and_names_it(start_agent: StartAgent, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("databases: {main: {number: zero}}", encoding="utf-8")
    agent = start_agent("research", REDIS_DATABASES_FILE=str(broken))
    assert agent.process is not None
    assert agent.process.wait(60) == 2
    (line,) = log_lines(agent)
    assert (line["level"], line["agent"]) == ("ERROR", "research")
    assert str(broken) in str(line["message"])
    # The settings are known by then, so the file has it as well.
    assert (agent.folder / "logs" / "research.log").read_text(encoding="utf-8") == agent.output()
