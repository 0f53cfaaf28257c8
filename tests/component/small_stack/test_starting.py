"""`inv up` again: it does what differs and nothing else, says what is wrong, and goes on after Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autobot_ops import frontend
from autobot_ops.adapters.containers import published_ports
from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.conftest import Project
from tests.component.small_stack.small_project import SERVICE, SERVICES
from tests.free_ports import free_port
from tests.inv_in_process import Ended, Inv
from tests.waiting import wait_until


def replace_in(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def began(stack: Stack) -> dict[str, object]:
    return {name: (state.id, state.started) for name, state in stack.observe().items()}


def took(ended: Ended) -> set[str]:
    """The services that weren't left as they were."""
    assert ended.exit_code == 0, ended.remarks
    return {row["service"] for row in ended.document["services"] if row["seconds"] is not None}


def restarts(stack: Stack, name: str) -> int:
    return int(stack.client.api.inspect_container(name)["RestartCount"])


def test_a_second_up_leaves_everything_as_it_was(stack: Stack, inv: Inv) -> None:
    before = began(stack)
    assert inv("up", "--dry-run").output == "nothing to do: every service is as described\n"
    shown = inv("up").output
    assert shown.count("as it was") == len(SERVICES)
    assert f"{stack.settings.project}: 3 services healthy in" in shown
    assert began(stack) == before


def test_only_what_differs_is_recreated_started_or_read_again(
    project: Project, stack: Stack, inv: Inv
) -> None:
    """Another description of the agent, a lost certificate, and users that somebody edited."""
    agents, secrets = project.folder / "compose/agents.yml", stack.settings.secrets_dir
    replace_in(agents, "mem_limit: 512m", "mem_limit: 500m")
    (secrets / "redis_server_certificate").unlink()
    users = (secrets / ACL_FILE).read_text()
    (secrets / ACL_FILE).chmod(0o640)
    (secrets / ACL_FILE).write_text(users + "# edited\n")
    before = began(stack)
    steps = inv("up", "--dry-run").output.splitlines()
    assert f"recreate {SERVICE}: its description changed" in steps
    assert "load certificate into redis: it runs with the former certificate" in steps
    assert "load users into redis: it runs with the former ones" in steps
    assert took(inv("up", "--json")) == {SERVICE}
    after = began(stack)
    assert {name for name in SERVICES if after[name] != before[name]} == {SERVICE}
    assert (secrets / ACL_FILE).read_text() == users
    assert inv("up", "--dry-run", "--json").document["steps"] == []


@contextmanager
def interrupting(service: str, word: str) -> Iterator[None]:
    """Have Ctrl-C pressed as soon as a service is said to be in a state."""
    told = frontend.Progress.update

    def update(self: frontend.Progress, name: str, state: str, *details: str) -> None:
        told(self, name, state, *details)
        if (name, state) == (service, word):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frontend.Progress, "update", update)
        yield


def test_a_bad_configuration_is_told_with_its_cause_and_mended_by_the_next_up(
    project: Project, stack: Stack, inv: Inv
) -> None:
    """The next up is interrupted, and the one after that goes on from there."""
    own = project.folder / "docker/env/common.env"
    replace_in(own, "LOG_LEVEL=INFO", "LOG_LEVEL=LOUD")
    failed = inv("up", "--json")
    assert failed.exit_code == 2, failed.remarks
    cause = f"{SERVICE} failed: its settings are wrong: LOG_LEVEL: Input should be 'DEBUG', "
    assert failed.document["error"]["message"].startswith(cause)
    assert failed.document["error"]["exit_code"] == failed.exit_code
    assert f"{SERVICE}: " in failed.remarks
    assert "last lines of its log:" in failed.remarks
    assert "LOUD" in failed.remarks
    (row,) = (each for each in inv("status", "--json").document["services"] if each["service"] == SERVICE)
    assert row["health"] != "healthy"

    replace_in(own, "LOG_LEVEL=LOUD", "LOG_LEVEL=INFO")
    with interrupting(SERVICE, "starting"):
        stopped = inv("up")
    assert stopped.exit_code == 130
    assert "interrupted, healthy so far: redis, postgres" in stopped.remarks
    assert took(inv("up", "--json")) <= {SERVICE}
    assert {state.is_well for state in stack.observe().values()} == {True}


@pytest.fixture
def crashing(stack: Stack) -> Iterator[tuple[str, int]]:
    """The name and the published port of a container that the engine restarts over and over."""
    name, port = f"{stack.settings.project}-crashing", free_port()
    container = stack.client.containers.run(
        stack.client.containers.get(f"{stack.settings.project}-{SERVICE}").attrs["Image"],
        name=name,
        entrypoint=["false"],
        restart_policy={"Name": "always"},
        ports={f"{port}/tcp": ("127.0.0.1", port)},
        detach=True,
    )
    yield name, port
    container.remove(force=True)


def test_a_container_keeps_its_port_between_restarts(stack: Stack, crashing: tuple[str, int]) -> None:
    name, port = crashing
    wait_until(lambda: restarts(stack, name) > 0, f"{name} is restarted", 30)
    while restarts(stack, name) < 6:
        assert published_ports(stack.client).get(port) == name


def test_an_agent_that_lacked_redis_is_left_alone_when_redis_comes_back(stack: Stack, inv: Inv) -> None:
    """Which failed checks are history is in tests/unit/test_watch.py: here they end too soon to tell."""
    before = began(stack)
    stack.client.containers.get(f"{stack.settings.project}-redis").remove(force=True)
    wait_until(lambda: stack.observe()[SERVICE].health == "unhealthy", f"{SERVICE} is unhealthy", 60)
    up = inv("up", "--json")
    assert took(up) == {"redis"}, up.remarks
    assert began(stack)[SERVICE] == before[SERVICE]
    assert {state.is_well for state in stack.observe().values()} == {True}


def test_a_stopped_service_is_told_and_a_restart_of_all_brings_it_back(stack: Stack, inv: Inv) -> None:
    stack.client.containers.get(f"{stack.settings.project}-{SERVICE}").stop(timeout=20)
    (row,) = (each for each in inv("status", "--json").document["services"] if each["service"] == SERVICE)
    assert row["remark"].startswith("exit code")
    refused = inv("shell", "knowledge")
    assert refused.exit_code == 4
    assert f"{SERVICE} is exited" in refused.remarks
    assert inv("up", "--dry-run").output == f"start {SERVICE}: it is exited\n"
    before = began(stack)
    restarted = inv("restart", "all")
    assert restarted.exit_code == 0, restarted.remarks
    words = [line.split()[0] for line in restarted.remarks.splitlines() if "restarting" in line]
    assert words[-1] == SERVICE
    assert set(words) == set(SERVICES)
    assert all(began(stack)[name] != before[name] for name in SERVICES)
