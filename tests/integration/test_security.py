"""S01 to S32 on every running container, by the judgement of `inv security`, and apart from it.

Every container is looked at once. The judgement is tried on a container that is wrong in nearly
everything, and what matters most is looked at a second time from inside, so that one mistake in the
library doesn't blind both.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
import testinfra
from docker.models.containers import Container as EngineContainer
from testinfra.host import Host

from autobot_ops.adapters import containers
from autobot_ops.adapters.postgres_session import run_script
from autobot_ops.adapters.redis_server import answering, dialer
from autobot_ops.security.answers import Verdict
from autobot_ops.security.catalogue import CHECKS
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Role, StackFacts
from autobot_ops.security.judgement import SecurityReport, judge
from autobot_ops.security.table import columns, rows, sentences, summary
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.security_observation import (
    observe_container,
    observe_postgres,
    observe_redis,
    observe_security,
)
from autobot_ops.stack.stack import Stack as OpsStack
from autobot_ops.stack.users import load_users
from tests.integration.conftest import Stack
from tests.verification import markdown_table, record

pytestmark = pytest.mark.security

MAY_BE_UNKNOWN = {"S32"}
"""Vulnerability data are somewhere else; where they can't be reached, nobody knows."""
OPEN_TO_ALL = "0.0.0.0"  # noqa: S104 - nothing listens behind it
INTRUDER = "intruder"
SPOIL = """
cp /bin/sleep /usr/local/bin/curl && chmod 4755 /usr/local/bin/curl
mkdir -p /var/lib/apt/lists /run/secrets
echo list >/var/lib/apt/lists/list
echo secret >/run/secrets/password && chmod 0644 /run/secrets/password
exec sleep 600
"""
WRONG_WITH_THE_INTRUDER = {
    "S01": "it is privileged",
    "S02": "not every capability is dropped",
    "S03": "the kernel says that its processes may gain rights",
    "S04": "the kernel says that no filter of system calls is on",
    "S06": "its process runs as user 0",
    "S07": "/etc can be written",
    "S08": "/mnt is mounted without noexec",
    "S09": "no memory limit",
    "S10": "no CPU limit",
    "S11": "no limit of processes",
    "S12": "its restart policy is 'no'",
    "S13": "its ipc namespace is 'host'",
    "S14": "/etc of the host is mounted on /host/etc",
    "S15": "/var/run/docker.sock of the host is mounted on /host/docker.sock",
    "S17": "it is attached to the network 'bridge'",
    "S18": "is published on 0.0.0.0",
    "S20": "is published on 0.0.0.0",
    "S21": "the network 'bridge' leads out, and agents.yaml grants no egress",
    "S22": "the variable DB_PASSWORD of the container",
    "S23": "/run/secrets/password has mode 0644",
    "S24": "no health check",
    "S25": "is no content tag and no digest",
    "S26": "/usr/local/bin/curl is setuid or setgid",
    "S27": "the program /usr/local/bin/curl",
    "S28": "logs of the driver 'json-file' grow without an end",
    "S29": "no limit 'core' is asked for",
}


@pytest.fixture(scope="session")
def ops_stack(stack: Stack) -> OpsStack:
    """The stack under test as `inv` sees it."""
    return stack.opened


@pytest.fixture(scope="session")
def facts(ops_stack: OpsStack) -> StackFacts:
    """Everything that is judged, seen once."""
    return observe_security(ops_stack)


@pytest.fixture(scope="session")
def report(facts: StackFacts, pytestconfig: pytest.Config) -> SecurityReport:
    """The judgement; with --record it becomes a part of docs/verification.md."""
    judged = judge(facts)
    if pytestconfig.getoption("--record"):
        table = markdown_table(columns(judged), rows(judged))
        lines = "\n".join(f"- {sentence}" for sentence in sentences(judged))
        record("security", f"{summary(judged)}.\n\n{table}\n\n{lines}")
    return judged


@pytest.mark.obligation(13)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_holds(report: SecurityReport, service_name: str, check: Check) -> None:
    answer = report.answer(check.number, service_name)
    assert answer.findings == (), f"{check.number} {check.title}: {answer.findings}"
    if answer.verdict is Verdict.UNKNOWN:
        assert check.number in MAY_BE_UNKNOWN, answer.reason


def test_no_waiver_is_stale(report: SecurityReport) -> None:
    assert report.stale == ()


def test_every_service_of_every_profile_is_judged(ops_stack: OpsStack, report: SecurityReport) -> None:
    named = ops_stack.compose().query("--profile", "*", "config", "--services").split()
    assert sorted(report.services) == sorted(named)


def test_the_verb_says_the_same(stack: Stack, report: SecurityReport) -> None:
    document = json.loads(stack.inv("security", "--json").stdout)
    assert document["failures"] == []
    assert document["services"] == list(report.services)
    verdicts = {
        (each["number"], service): answer["verdict"]
        for each in document["checks"]
        for service, answer in each["answers"].items()
    }
    assert verdicts == {
        (row.check.number, service): str(answer.verdict)
        for row in report.rows
        for service, answer in row.answers.items()
    }


def test_the_verb_says_that_nothing_runs(stack: Stack) -> None:
    done = stack.inv("security", check=False, AUTOBOT_PROJECT=f"{stack.project}-absent")
    assert done.returncode == 4
    assert f"no container of {stack.project}-absent runs" in done.stderr
    assert "inv up" in done.stderr


@pytest.fixture(scope="module")
def intruder(own_stack: Stack) -> Iterator[EngineContainer]:
    """A container beside the stack's, under its project's name, that sleeps and is wrong in all it can be."""
    stack = own_stack
    image = stack.container("redis").image
    assert image is not None
    tag = f"{stack.project}-{INTRUDER}"
    image.tag(tag, "latest")
    try:
        container = stack.engine.containers.run(
            f"{tag}:latest",
            ["sh", "-c", SPOIL],
            name=tag,
            detach=True,
            entrypoint=[],
            user="0:0",
            privileged=True,
            ipc_mode="host",
            network="bridge",
            ports={"6379/tcp": (OPEN_TO_ALL, 0)},
            tmpfs={"/mnt": "rw,exec,suid"},
            volumes={
                "/etc": {"bind": "/host/etc", "mode": "ro"},
                "/var/run/docker.sock": {"bind": "/host/docker.sock", "mode": "ro"},
            },
            environment={"DB_PASSWORD": "letmein"},
            labels={
                containers.PROJECT_LABEL: stack.project,
                containers.SERVICE_LABEL: INTRUDER,
                containers.ONE_OFF_LABEL: "False",
            },
        )
        try:
            yield container
        finally:
            container.remove(force=True)
    finally:
        stack.engine.images.remove(f"{tag}:latest", noprune=True)


def test_says_no_to_what_is_wrong(ops_stack: OpsStack, facts: StackFacts, intruder: EngineContainer) -> None:
    intruder.reload()
    seen = observe_container(ops_stack, intruder.attrs)
    # As a data service, so that the check for those applies to it too.
    seen = dataclasses.replace(seen, role=Role(stores_data=True))
    judged = judge(dataclasses.replace(facts, containers={INTRUDER: seen}), waivers=())
    missed = {
        number: judged.answer(number, INTRUDER)
        for number, finding in WRONG_WITH_THE_INTRUDER.items()
        if not any(finding in each for each in judged.answer(number, INTRUDER).findings)
    }
    assert missed == {}


def test_the_verb_fails_with_what_is_wrong(stack: Stack, intruder: EngineContainer) -> None:
    assert intruder.id
    done = stack.inv("security", check=False)
    assert done.returncode == 6
    assert f"no: S01 {INTRUDER}: it is privileged" in done.stdout
    assert "docs/security.md" in done.stderr


def test_sees_a_command_that_redis_allows_an_agent_by_mistake(
    own_stack: Stack, ops_stack: OpsStack, facts: StackFacts
) -> None:
    with answering(dialer(ops_stack, "operator")) as operator:
        operator.execute_command("ACL", "SETUSER", "chat", "+flushall")  # type: ignore[no-untyped-call]
        operator.execute_command("ACL", "SETUSER", "default", "+get", "~*")  # type: ignore[no-untyped-call]
        try:
            judged = judge(dataclasses.replace(facts, redis=observe_redis(ops_stack)))
        finally:
            assert sorted(load_users(ops_stack)) == ["chat", "default"]
    assert judged.answer("S30", "chat-agent").findings == ("it may run FLUSHALL",)
    found = judged.answer("S30", "redis").findings
    assert "'chat' may run FLUSHALL" in found
    assert any("holds" in each and "more than PING" in each for each in found)
    assert judged.answer("S30", "rag-agent").verdict is Verdict.YES


def test_sees_a_role_of_postgres_that_may_too_much(
    own_stack: Stack, ops_stack: OpsStack, facts: StackFacts
) -> None:
    runner = runner_inside(ops_stack, "postgres")
    run_script(runner, "autobot", "ALTER ROLE knowledge CREATEDB;")
    try:
        judged = judge(dataclasses.replace(facts, postgres=observe_postgres(ops_stack)))
    finally:
        run_script(runner, "autobot", "ALTER ROLE knowledge NOCREATEDB;")
    assert judged.answer("S31", "knowledge-agent").findings == ("its role is createdb",)
    assert judged.answer("S31", "postgres").findings == ("role 'knowledge' is createdb",)


# A second look, which shares no code with the library.


@pytest.fixture
def host(stack: Stack, service_name: str) -> Host:
    """The container of a service, seen from inside."""
    return testinfra.get_host(f"docker://{stack.project}-{service_name}")


def test_temporary_files_cannot_be_executed(own_stack: Stack, host: Host) -> None:
    planted = "cp /bin/true /tmp/planted && chmod 0755 /tmp/planted && /tmp/planted"
    try:
        assert host.run(planted).rc == 126
    finally:
        host.run("rm -f /tmp/planted")


def test_secret_files_are_closed_to_others(host: Host) -> None:
    files = host.check_output("find -L /run/secrets -type f -printf '%m %p\\n'").splitlines()
    assert files
    assert {file.split()[0] for file in files} <= {"440", "400", "40"}


def test_a_crash_leaves_no_core_file(host: Host) -> None:
    assert host.check_output("ulimit -H -c") == "0"


def test_mounts_no_socket_of_the_engine_and_nothing_that_propagates(host: Host) -> None:
    mounts = host.check_output("cat /proc/self/mountinfo")
    assert "/run/secrets" in mounts
    assert "shared:" not in mounts
    assert ".sock" not in mounts
