"""Likely causes and fixes. The texts are what the engine, Compose and the services really wrote."""

from __future__ import annotations

import pytest

from autobot_ops.stack.diagnosis import Diagnosis, Evidence, diagnose, failed_checks
from autobot_ops.stack.failure import render_evidence
from autobot_ops.stack.health import Probe
from tests.unit.test_up_plan import container

PORT = (
    "Error response from daemon: driver failed programming external connectivity on endpoint "
    "autobot-chat-agent (1c1f): Bind for 127.0.0.1:8001 failed: port is already allocated"
)
PROXY = (
    "driver failed programming external connectivity on endpoint autobot-chat-agent: "
    "Error starting userland proxy: listen tcp4 127.0.0.1:8001: bind: address already in use"
)
RLIMIT = (
    "OCI runtime create failed: runc create failed: unable to start container process: error during "
    "container init: error setting rlimits for ready process: error setting rlimit type 7: "
    "operation not permitted"
)
ACL = (
    "7:M 23 Nov 2026 01:59:33.123 # Aborting Redis startup because of ACL errors: Error loading ACLs, "
    "opening file '/run/secrets/redis_users_acl': Permission denied"
)
MISSING = (
    '{"level": "ERROR", "agent": "chat", "message": "the variable %s is missing", "hint": "Compare them."}'
)
WRONG_PORT = (
    '{"level": "ERROR", "agent": "chat", "message": "the variable REDIS_PORT is wrong: \'many\' is no port",'
    ' "hint": "Correct it."}'
)
LATE = '{"level": "ERROR", "agent": "rag", "message": "redis does not answer at redis:6379 within 60 s"}'
UNWRITABLE = (
    '{"level": "ERROR", "message": "/app/data can\'t be written by user 10001", "hint": "The disk is full"}'
)


def of_complaint(text: str) -> Diagnosis:
    return diagnose(Evidence("chat-agent", None, complaint=text))


def of_log(*lines: str) -> Diagnosis:
    return diagnose(Evidence("chat-agent", container("chat-agent", status="restarting", exit_code=2), lines))


@pytest.mark.parametrize(
    ("complaint", "cause", "exit_code"),
    [
        (PORT, "port 8001 is taken by another program", 4),
        (PROXY, "port 8001 is taken by another program", 4),
        ("write /var/lib/docker/x: no space left on device", "the disk is full", 4),
        ("Error response from daemon: No such image: autobot/x:1", "the image autobot/x:1 is missing", 3),
        (
            'Conflict. The container name "/autobot-redis" is already in use by container "12".',
            "another container is called autobot-redis",
            2,
        ),
        (
            "invalid mount config: bind source path does not exist: /srv/x/redis_chat_password",
            "/srv/x/redis_chat_password is missing",
            2,
        ),
        (
            "failed to create network: could not find an available, non-overlapping IPv4 address pool",
            "Docker has no free network addresses left",
            4,
        ),
        (RLIMIT, "this machine can't give chat-agent the resources that its limits name", 2),
        (
            "Range of CPUs is from 0.01 to 1.00, as there are only 1 CPUs available",
            "this machine can't give chat-agent the resources that its limits name",
            2,
        ),
        (
            'exec: "/usr/bin/tini": stat /usr/bin/tini: no such file or directory: unknown',
            "the image of chat-agent can't be executed",
            3,
        ),
        (
            "dependency failed to start: container autobot-redis is unhealthy",
            "it is unhealthy, and others need it",
            4,
        ),
        ("something quite new", "something quite new", 3),
    ],
)
def test_explains_what_the_engine_says(complaint: str, cause: str, exit_code: int) -> None:
    diagnosis = of_complaint(complaint)
    assert (diagnosis.cause, diagnosis.exit_code) == (cause, exit_code)
    assert diagnosis.fix


@pytest.mark.parametrize(
    ("line", "cause", "exit_code"),
    [
        (ACL, "the secret /run/secrets/redis_users_acl can't be read inside the container", 2),
        (
            "error: the secret postgres_superuser_password is missing or unreadable for user 10003",
            "the secret postgres_superuser_password can't be read inside the container",
            2,
        ),
        (
            'FATAL:  password authentication failed for user "knowledge"',
            'a wrong password: password authentication failed for user "knowledge',
            4,
        ),
        (
            WRONG_PORT,
            "the variable REDIS_PORT is wrong: 'many' is no port",
            2,
        ),
        (LATE, "redis does not answer at redis:6379", 4),
        (UNWRITABLE, "/app/data can't be written by the container's user", 4),
        (
            "ModuleNotFoundError: No module named 'torch'",
            "the image lacks a part of the program: No module named 'torch'",
            3,
        ),
        (
            "Bad file format reading the append only file: make a backup",
            "Redis can't read its append-only file: Bad file format reading the append only file",
            4,
        ),
        (
            "error: settings of agent 'rag' are wrong: AGENT_PORT: Input should be a valid integer (got 'x')",
            "its settings are wrong: AGENT_PORT: Input should be a valid integer (got 'x')",
            2,
        ),
        ("nothing that we know", "its program ended with exit code 2", 4),
    ],
)
def test_explains_what_the_log_says(line: str, cause: str, exit_code: int) -> None:
    diagnosis = of_log(line)
    assert (diagnosis.cause, diagnosis.exit_code) == (cause, exit_code)


def test_names_every_missing_variable() -> None:
    diagnosis = of_log(MISSING % "REDIS_HOST", MISSING % "REDIS_PORT", MISSING % "REDIS_HOST")
    assert diagnosis.cause == "a variable is missing: REDIS_HOST, REDIS_PORT"
    assert diagnosis.exit_code == 2


def test_memory_outranks_every_text() -> None:
    state = container("npu-agent", status="restarting", exit_code=137, out_of_memory=True)
    diagnosis = diagnose(Evidence("npu-agent", state, ["no space left on device"]))
    assert diagnosis.cause == "it was killed for lack of memory"
    assert "mem_limit" in diagnosis.fix


def test_a_kill_that_the_engine_has_forgotten_is_still_recognised() -> None:
    diagnosis = diagnose(Evidence("npu-agent", container("npu-agent", status="restarting", exit_code=137)))
    assert diagnosis.cause == "it was killed for lack of memory"


def test_the_hint_names_the_next_command() -> None:
    assert of_complaint(PORT).fix == "Free the port, or choose others: AUTOBOT_PORT_OFFSET=1000 inv up"
    assert diagnose(Evidence("rag-agent", None)).fix == "Read on: inv logs rag-agent"


HEALTH = (
    '{"status": "fail", "checks": {"redis.main:responseTime": [{"status": "fail", "output": "refused"}],'
    ' "cpu:utilization": [{"status": "pass"}], "postgres:responseTime": [{"status": "fail"}]}}'
)


def test_names_the_checks_that_fail() -> None:
    assert failed_checks(HEALTH) == "it isn't ready: redis.main:responseTime (refused), postgres:responseTime"


def test_names_the_reasons_of_an_agent_that_is_not_ready() -> None:
    answer = '{"status": "not ready", "reasons": ["loading", "redis.main: refused"]}'
    assert failed_checks(answer) == "it isn't ready: loading, redis.main: refused"


@pytest.mark.parametrize("output", ["nothing listens on port 8000 yet", '{"checks": 3}', HEALTH[:60]])
def test_a_probe_that_is_no_health_answer_is_quoted(output: str) -> None:
    assert failed_checks(output) == output


def test_the_evidence_is_for_a_person() -> None:
    state = container(
        "rag-agent",
        status="restarting",
        health="unhealthy",
        exit_code=1,
        restarts=3,
        last_probe=Probe(1, "nothing listens on port 8000 yet", None, None),
    )
    assert render_evidence(Evidence("rag-agent", state, ["one", "two"])).splitlines() == [
        "rag-agent: restarting, exit code 1, 3 restarts",
        "last probe:",
        "  nothing listens on port 8000 yet",
        "last lines of its log:",
        "  one",
        "  two",
    ]


def test_evidence_is_no_longer_than_what_is_known() -> None:
    refused = Evidence("rag-agent", None, complaint="no space left on device\n")
    assert render_evidence(refused).splitlines() == [
        "rag-agent: not created",
        "the engine says:",
        "  no space left on device",
    ]
    well = container("rag-agent", last_probe=Probe(0, "pass", None, None))
    assert render_evidence(Evidence("rag-agent", well)) == f"rag-agent: {well.word}"
