"""Starting, starting again, and looking at the stack."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Stack


def test_up_ends_with_every_service_healthy(own_stack: Stack) -> None:
    services = {row["service"]: row for row in own_stack.up_report["services"]}
    expected = {"redis", "postgres", *(f"{name}-agent" for name in own_stack.catalogs.agents)}
    assert set(services) == expected
    assert {row["health"] for row in services.values()} == {"healthy"}
    assert all(row["seconds"] > 0 for row in services.values())


@pytest.mark.usefixtures("own_stack")
def test_a_second_up_recreates_nothing(stack: Stack) -> None:
    def identities() -> dict[str, tuple[str, str]]:
        return {
            str(each.name): (str(each.id), each.attrs["State"]["StartedAt"]) for each in stack.containers()
        }

    before = identities()
    stack.inv("up", "--json")
    assert identities() == before


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
