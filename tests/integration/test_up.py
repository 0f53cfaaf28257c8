"""Starting, starting again, and looking at the stack."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from autobot_ops.settings import load_settings
from tests.conftest import ROOT
from tests.integration.conftest import Stack

RecordProperty = Callable[[str, object], None]

# What a service can do when it is well, asked of itself and not of its health check.
WORKS = {
    "redis": (["redis-cli", "ping"], "PONG\n"),
    "postgres": (["psql", "-qtA", "user=postgres dbname=autobot", "-c", "SELECT 1"], "1\n"),
}


@pytest.mark.obligation(1)
def test_up_ends_with_every_service_healthy_inside_its_budget(
    own_stack: Stack, record_property: RecordProperty
) -> None:
    services = {row["service"]: row for row in own_stack.up_report["services"]}
    assert set(services) == set(own_stack.services)
    assert {row["health"] for row in services.values()} == {"healthy"}
    budget = load_settings(ROOT, own_stack.environment).up_timeout
    seconds = {name: row["seconds"] for name, row in services.items()}
    assert all(0 < each < budget for each in seconds.values()), seconds
    assert own_stack.up_report["seconds"] < budget
    took = ", ".join(f"{name} {each}" for name, each in seconds.items())
    record_property("up [s]", f"{own_stack.up_report['seconds']} in all; {took}")


@pytest.mark.obligation(1)
def test_what_is_called_healthy_can_do_its_work(stack: Stack, service_name: str) -> None:
    assert stack.container(service_name).attrs["State"]["Health"]["Status"] == "healthy"
    if service_name in WORKS:
        command, expected = WORKS[service_name]
        assert stack.output_inside(service_name, *command) == expected
    else:
        agent_name = service_name.removesuffix("-agent")
        answer = httpx.get(stack.url(agent_name, "/readyz"))
        assert answer.status_code == 200, answer.text


@pytest.mark.obligation(2)
@pytest.mark.usefixtures("own_stack")
def test_a_second_up_recreates_nothing(stack: Stack) -> None:
    def identities() -> dict[str, tuple[str, str]]:
        return {
            str(each.name): (str(each.id), each.attrs["State"]["StartedAt"]) for each in stack.containers()
        }

    before = identities()
    report = json.loads(stack.inv("up", "--json").stdout)
    assert {row["seconds"] for row in report["services"]} == {None}
    assert identities() == before


@pytest.mark.obligation(2)
def test_a_dry_run_of_up_on_a_running_stack_plans_nothing(stack: Stack) -> None:
    plan = json.loads(stack.inv("up", "--dry-run", "--json").stdout)
    assert plan["steps"] == []


def test_status_names_health_and_url_of_every_service(stack: Stack) -> None:
    rows = {row["service"]: row for row in json.loads(stack.inv("status", "--json").stdout)["services"]}
    for name in stack.catalogs.agents:
        row = rows[f"{name}-agent"]
        assert row["health"] == "healthy"
        assert row["url"] == stack.url(name, f"/health/{name}")


@pytest.mark.usefixtures("own_stack")
def test_restart_brings_a_service_back_healthy(stack: Stack) -> None:
    before = stack.container("knowledge-agent").attrs["State"]["StartedAt"]
    stack.inv("restart", "knowledge-agent")
    state = stack.container("knowledge-agent").attrs["State"]
    assert state["StartedAt"] != before
    assert state["Health"]["Status"] == "healthy"


def test_logs_show_what_one_service_says(stack: Stack) -> None:
    assert '"agent": "chat"' in stack.inv("logs", "chat-agent", "--tail", "50").stdout


def test_the_catalogs_agree_with_everything_derived_from_them(stack: Stack) -> None:
    stack.inv("config.check")
