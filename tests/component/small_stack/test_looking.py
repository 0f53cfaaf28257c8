"""What looks at the running stack: status, logs, security, the databases, the journal."""

from __future__ import annotations

import json

import pytest

from autobot_ops import frontend
from autobot_ops.adapters import process
from autobot_ops.adapters.redis_server import dialer
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.conftest import Started
from tests.component.small_stack.small_project import SERVICE, SERVICES
from tests.inv_in_process import Inv


def test_up_reports_every_service_healthy_with_the_agents_address(started: Started, stack: Stack) -> None:
    rows = {row["service"]: row for row in started.up.document["services"]}
    assert tuple(rows) == SERVICES
    assert {row["health"] for row in rows.values()} == {"healthy"}
    port = stack.catalogs.agents["knowledge"].port + stack.settings.port_offset
    assert rows[SERVICE]["url"] == f"http://127.0.0.1:{port}/health/knowledge"


def test_status_has_a_row_for_each_service(stack: Stack, inv: Inv) -> None:
    rows = inv("status", "--json").document["services"]
    assert [(row["service"], row["health"], row["remark"]) for row in rows] == [
        (name, "healthy", "") for name in SERVICES
    ]
    shown = inv("status").output
    assert all(name in shown for name in (*SERVICES, "restarts"))


def test_watching_ends_well_with_ctrl_c(stack: Stack, inv: Inv, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def update(_: object, name: str, state: str, *details: str) -> None:
        seen.append((name, state))
        if len(seen) == len(SERVICES):
            raise KeyboardInterrupt

    monkeypatch.setattr(frontend.Progress, "update", update)
    assert inv("status", "--watch").exit_code == 0
    assert seen == [(name, "healthy") for name in SERVICES]


def test_the_log_of_one_service_is_what_it_wrote_and_nothing_else(stack: Stack, inv: Inv) -> None:
    lines = inv("logs", "knowledge", "--tail", "3").output.splitlines()
    assert len(lines) == 3
    assert {json.loads(line)["agent"] for line in lines} == {"knowledge"}


def test_the_log_of_all_says_who_wrote_each_line(stack: Stack, inv: Inv) -> None:
    lines = inv("logs", "all", "--tail", "1").output.splitlines()
    assert {name for name in SERVICES for line in lines if f"-{name}" in line.split("|")[0]} == set(SERVICES)


def test_a_log_of_which_somebody_has_read_enough_ends_well(
    stack: Stack, inv: Inv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def result(_: str) -> None:
        raise frontend.OutputClosed("nobody reads the output any more")

    monkeypatch.setattr(frontend, "result", result)
    ended = inv("logs", "knowledge")
    assert (ended.exit_code, ended.remarks) == (0, "")


def test_following_a_log_ends_well_with_ctrl_c(
    stack: Stack, inv: Inv, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def result(text: str) -> None:
        lines.append(text)
        raise KeyboardInterrupt

    monkeypatch.setattr(frontend, "result", result)
    assert inv("logs", "redis", "--follow").exit_code == 0
    assert len(lines) == 1


def test_a_misspelt_service_is_answered_with_the_nearest(stack: Stack, inv: Inv) -> None:
    for verb in ("logs", "shell", "restart"):
        refused = inv(verb, "knowlege")
        assert refused.exit_code == 2
        assert "Did you mean 'knowledge'?" in refused.remarks


def test_security_finds_nothing_wrong_with_a_stack_of_one_agent(stack: Stack, inv: Inv) -> None:
    report = inv("security", "--json")
    assert report.exit_code == 0, report.output
    assert report.document["services"] == list(SERVICES)
    assert report.document["failures"] == []
    assert report.document["counts"]["yes"] > 0


def test_security_names_what_is_wrong_with_a_container(stack: Stack, inv: Inv) -> None:
    """A restart policy that somebody took away while it runs."""
    update = ("docker", "update", "--restart")
    container = f"{stack.settings.project}-{SERVICE}"
    process.query([*update, "no", container])
    try:
        report = inv("security")
    finally:
        process.query([*update, "unless-stopped", container])
    assert report.exit_code == 6
    assert [line for line in report.output.splitlines() if line.startswith("no: ") and SERVICE in line]
    assert "restart" in report.remarks


def test_every_database_is_listed_with_its_keys(stack: Stack, inv: Inv) -> None:
    with dialer(stack, "operator")(15) as client:
        client.set("test:listed", "1")
        rows = {row["name"]: row for row in inv("database.list", "--json").document["databases"]}
        client.delete("test:listed")
    assert rows.keys() == stack.catalogs.databases.keys()
    assert rows["testing"]["keys"] == 1
    assert "sessions" in inv("database.list").output


def test_a_key_in_the_wrong_database_is_found(stack: Stack, inv: Inv) -> None:
    assert inv("database.check").exit_code == 0
    with dialer(stack, "operator")(15) as client:
        client.set("session:astray", "1")
        found = inv("database.check", "--full", "--json")
        shown = inv("database.check")
        client.delete("session:astray")
    assert found.exit_code == shown.exit_code == 6
    assert any("session:astray" in str(each) for each in found.document["findings"])
    assert "session" in shown.output


def test_configuration_and_everything_derived_agree(stack: Stack, inv: Inv) -> None:
    checked = inv("config.check", "--json")
    assert checked.exit_code == 0, checked.output
    assert [each for each in checked.document["comparisons"] if each["problems"]] == []


def test_history_has_the_start(stack: Stack, inv: Inv) -> None:
    operations = inv("history", "--verb", "up", "--limit", "100", "--json").document["operations"]
    assert operations[-1]["verb"] == "up"
    assert operations[-1]["outcome"] == "done"
