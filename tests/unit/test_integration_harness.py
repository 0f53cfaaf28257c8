"""The harness of the live tests: claims of ports and checkout, what only looks, the table of obligations."""

from __future__ import annotations

import socket
from pathlib import Path

import docker
import pytest

from autobot_ops.catalog import load_catalogs
from tests.integration import live
from tests.integration.claims import (
    CheckoutInUse,
    NoFreePorts,
    SessionRecord,
    claim_port_offset,
    free_project_name,
)
from tests.integration.obligation_report import NOT_RUN, Results, render_report
from tests.integration.obligations import OBLIGATIONS

OFFSETS = range(5_000, 5_300, 97)
PORTS = (8001, 8005)


def test_two_sessions_at_once_get_different_ports() -> None:
    first, second = claim_port_offset(PORTS, OFFSETS), claim_port_offset(PORTS, OFFSETS)
    third = None
    try:
        assert first.offset != second.offset
        first.release()
        third = claim_port_offset(PORTS, OFFSETS)
        assert third.offset == first.offset
    finally:
        for claim in (first, second, third):
            if claim is not None:
                claim.release()


def test_a_port_that_somebody_has_moves_the_whole_range() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 8005 + OFFSETS[0]))
        claim = claim_port_offset(PORTS, OFFSETS)
        claim.release()
        assert claim.offset == OFFSETS[1]
        with pytest.raises(NoFreePorts):
            claim_port_offset(PORTS, OFFSETS[:1])


class EngineApi:
    """Lists two containers, of which one is gone when it is looked at."""

    def containers(self, **_: object) -> list[dict[str, str]]:
        return [{"Id": "stays"}, {"Id": "vanishes"}]

    def inspect_container(self, identifier: str) -> dict[str, str]:
        if identifier == "vanishes":
            raise docker.errors.NotFound("no such container")
        return {"Id": identifier}


def test_a_container_that_vanishes_while_they_are_listed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = docker.DockerClient(version="1.43")
    monkeypatch.setattr(engine, "api", EngineApi())
    assert [each.id for each in live.project_containers(engine, "any")] == ["stays"]


def test_one_session_at_a_time_in_a_checkout(tmp_path: Path) -> None:
    path = tmp_path / "state" / "session"
    record = SessionRecord.claim(path)
    with pytest.raises(CheckoutInUse):
        SessionRecord.claim(path)
    record.release()
    SessionRecord.claim(path).release()


def test_a_killed_session_leaves_the_name_of_its_stack_and_an_ended_one_nothing(tmp_path: Path) -> None:
    path = tmp_path / "session"
    killed = SessionRecord.claim(path)
    assert killed.left_behind is None
    killed.write("stack-of-the-killed")
    killed.release()
    following = SessionRecord.claim(path)
    assert following.left_behind == "stack-of-the-killed"
    following.write("mine")
    following.write(None)
    following.release()
    assert SessionRecord.claim(path).left_behind is None


def test_a_stack_that_exists_keeps_its_name() -> None:
    there = {"it", "it-2"}
    assert free_project_name("it", there.__contains__) == "it-3"
    assert free_project_name("new", there.__contains__) == "new"


def test_the_table_counts_tests_of_an_obligation_and_names_those_without() -> None:
    results = Results({3: ["a", "b"], 17: ["c"]})
    results.count("a", "passed", "setup")
    assert results.of_obligation(3) == f"2 {NOT_RUN}"
    results.count("a", "passed", "call")
    results.count("b", "failed", "setup")
    results.count("c", "passed", "call")
    lines = render_report(results)
    assert lines[0].split("  ")[-1] == "1 error in setup, 1 passed"
    assert lines[1].split("  ")[-1] == "passed"
    assert "2 tests" in lines[0]
    assert lines[2] == "without a test in this session: " + ", ".join(
        str(number) for number in OBLIGATIONS if number not in {3, 17}
    )


def test_a_test_that_fails_when_it_is_cleaned_up_has_not_passed() -> None:
    results = Results({5: ["a"]})
    results.count("a", "passed", "call")
    results.count("a", "failed", "teardown")
    assert results.of_obligation(5) == "1 error in teardown"


def test_a_session_without_obligations_has_no_table() -> None:
    assert render_report(Results({})) == []


@pytest.fixture
def looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> live.Stack:
    """A stack as a test has it that didn't ask for own_stack."""
    monkeypatch.setattr(live.PERMISSION, "granted", False)
    return live.Stack("it", 0, load_catalogs(root), docker.DockerClient.__new__(docker.DockerClient), {})


@pytest.mark.parametrize("arguments", [("restart", "chat"), ("down", "--volumes", "--yes"), ("up",)])
def test_a_verb_that_changes_something_is_refused_to_a_test_that_only_looks(
    looked_at: live.Stack, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(pytest.fail.Exception, match="own_stack"):
        looked_at.inv(*arguments)


@pytest.mark.parametrize("arguments", [("status", "--json"), ("up", "--dry-run")])
def test_a_verb_that_changes_nothing_is_run(looked_at: live.Stack, arguments: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match="must not start processes"):
        looked_at.inv(*arguments)
