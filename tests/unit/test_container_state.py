"""What `docker inspect` says, in our words, and the rows of `inv status`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from autobot_ops.stack.compose import PublishedPort
from autobot_ops.stack.health import Probe, parse_container
from autobot_ops.stack.status import status_rows
from tests.unit.test_up_plan import container

ANYWHERE = "0.0.0.0"  # noqa: S104 - a setting, not a server of ours
NOW = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def probe(exit_code: int, output: str, began: str, ended: str) -> dict[str, Any]:
    """A health check as the engine lists it; times are seconds of one minute."""
    began, ended = (f"2026-11-23T01:40:{seconds}Z" for seconds in (began, ended))
    return {"ExitCode": exit_code, "Output": output, "Start": began, "End": ended}


def document(**state: Any) -> dict[str, Any]:
    """What the engine says of a healthy agent, as far as we look at it."""
    return {
        "Id": "c52d2a6567b6",
        "Name": "/autobot-chat-agent",
        "RestartCount": 0,
        "State": {
            "Status": "running",
            "OOMKilled": False,
            "ExitCode": 0,
            "Error": "",
            "StartedAt": "2026-11-23T01:40:45.500692399Z",
            "Health": {
                "Status": "healthy",
                "Log": [
                    probe(1, "nothing listens\n", "49", "50"),
                    probe(0, '{"status": "ready"}\n', "54", "55.5"),
                ],
            },
            **state,
        },
        "Config": {
            "Image": "autobot/chat-agent:1",
            "Env": ["PATH=/bin", "AGENT_NAME=chat"],
            "Labels": {"com.docker.compose.service": "chat-agent", "com.docker.compose.oneoff": "False"},
        },
        "HostConfig": {"PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8001"}]}},
    }


def test_reads_a_healthy_agent() -> None:
    state = parse_container(document())
    assert state is not None
    assert (state.service, state.name, state.word, state.is_well) == (
        "chat-agent",
        "autobot-chat-agent",
        "healthy",
        True,
    )
    assert state.started == datetime(2026, 11, 23, 1, 40, 45, 500692, tzinfo=UTC)
    assert state.last_probe == Probe(
        0,
        '{"status": "ready"}',
        datetime(2026, 11, 23, 1, 40, 54, tzinfo=UTC),
        datetime(2026, 11, 23, 1, 40, 55, 500000, tzinfo=UTC),
    )
    assert state.url == "http://127.0.0.1:8001/health/chat"


def test_a_container_that_never_ran_has_no_start() -> None:
    state = parse_container(document(Status="created", StartedAt="0001-01-01T00:00:00Z", Health=None))
    assert state is not None
    assert (state.started, state.word, state.is_well) == (None, "created", False)


def test_one_off_containers_are_no_services() -> None:
    one_off = document()
    one_off["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    assert parse_container(one_off) is None


@pytest.mark.parametrize(
    ("address", "host"), [("127.0.0.1", "127.0.0.1"), (ANYWHERE, "127.0.0.1"), ("::1", "[::1]")]
)
def test_the_url_is_one_that_a_person_can_open(address: str, host: str) -> None:
    state = container("chat-agent", ports=(PublishedPort(address, 8001),), agent="chat")
    assert state.url == f"http://{host}:8001/health/chat"


def test_what_publishes_nothing_has_no_url() -> None:
    assert container("redis", ports=()).url == ""


def test_status_has_a_row_for_every_service_also_for_missing_and_unexpected_ones() -> None:
    states = {
        "redis": container("redis", started=datetime(2026, 11, 23, 1, 58, 30, tzinfo=UTC)),
        "grafana": container("grafana"),
    }
    rows = status_rows(["redis", "postgres"], states, NOW)
    assert [(row.service, row.health) for row in rows] == [
        ("redis", "healthy"),
        ("postgres", "missing"),
        ("grafana", "healthy"),
    ]
    assert rows[0].up_seconds == 90
    assert rows[0].cells[4] == "0:01:30"
    assert rows[1].remark == "inv up starts it"


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"status": "exited", "exit_code": 3}, "exit code 3"),
        ({"status": "exited", "exit_code": 137, "out_of_memory": True}, "out of memory"),
        ({"status": "created"}, "never started"),
        ({"status": "created", "error": "port is taken\nmore"}, "port is taken"),
        ({"health": "unhealthy", "last_probe": Probe(1, "nothing listens", None, None)}, "nothing listens"),
        ({}, ""),
    ],
)
def test_status_says_what_is_wrong(changes: dict[str, Any], remark: str) -> None:
    (row,) = status_rows(["redis"], {"redis": container("redis", **changes)}, NOW)
    assert row.remark == remark
