"""A new database, other rights and old keys, on a stack that runs on: nothing is restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.demo.legacy_keys import COUNTER
from autobot_ops.stack import reload
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.conftest import Project
from tests.component.small_stack.small_project import SERVICE
from tests.inv_in_process import Inv

CATALOGS = ("config/agents.yaml", "config/redis-databases.yaml", "docker/env/redis.env.example")


@pytest.fixture
def catalogs(project: Project, stack: Stack, inv: Inv) -> Iterator[Project]:
    """The project, whose catalogs a test changes; the former ones are in force again afterwards."""
    former = {name: (project.folder / name).read_text() for name in CATALOGS}
    yield project
    for name, text in former.items():
        (project.folder / name).write_text(text)
    assert inv("database.reload").exit_code == 0


def rules_of(stack: Stack, user: str) -> str:
    with dialer(stack, "operator")(0) as client:
        lines: list[str] = client.acl_list()
    return next(line for line in lines if line.startswith(f"user {user} "))


def widen_a_right(project: Project) -> None:
    agents = project.folder / "config/agents.yaml"
    text = agents.read_text()
    assert "vectors: read\n" in text
    agents.write_text(text.replace("vectors: read\n", "vectors: read-write\n"))


def test_a_changed_right_is_in_force_without_a_restart(catalogs: Project, stack: Stack, inv: Inv) -> None:
    assert inv("database.reload", "--dry-run").output == "nothing to do\n"
    before, started = rules_of(stack, "knowledge"), stack.observe()[SERVICE].started
    widen_a_right(catalogs)
    planned = inv("database.reload", "--dry-run", "--json").document["steps"]
    assert any("change user knowledge on the server" in step for step in planned)
    assert rules_of(stack, "knowledge") == before
    done = inv("database.reload")
    assert done.exit_code == 0, done.remarks
    assert f"{SERVICE} has catalog" in done.output
    assert rules_of(stack, "knowledge") != before
    assert stack.observe()[SERVICE].started == started


def test_an_agent_that_keeps_the_former_catalog_is_named(
    catalogs: Project, stack: Stack, inv: Inv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once here, in the moment after the change."""
    monkeypatch.setattr(reload, "AGENTS_WAIT_SECONDS", -1.0)
    widen_a_right(catalogs)
    partly = inv("database.reload")
    assert partly.exit_code == 6
    assert f"{SERVICE} has not taken catalog" in partly.remarks


def test_a_new_database_is_there_for_who_was_granted_it(catalogs: Project, stack: Stack, inv: Inv) -> None:
    arguments = ("database.allocate", "drafts", "--grant", "knowledge=read-write", "--tier", "important")
    planned = inv(*arguments, "--dry-run", "--json").document
    assert (planned["number"], list(planned["key_patterns"])) == (10, ["drafts:*"])
    assert "would change" in inv(*arguments, "--dry-run").output
    assert "drafts" not in (catalogs.folder / CATALOGS[1]).read_text()
    done = inv(*arguments)
    assert done.exit_code == 0, done.remarks
    assert f"{SERVICE} has catalog" in done.remarks
    assert "drafts" in {row["name"] for row in inv("database.list", "--json").document["databases"]}
    assert inv("config.check").exit_code == 0
    again = inv(*arguments)
    assert again.exit_code == 2
    assert "drafts" in again.remarks


def test_legacy_keys_of_the_stack_move_and_come_back(stack: Stack, inv: Inv) -> None:
    legacy = {"session:old": "s", "prompt:old": "p", "nobody:knows": "n"}
    with dialer(stack, "operator")(0) as client:
        client.mset(legacy)
    planned = inv("migrate", "--dry-run", "--json")
    assert planned.exit_code == 0, planned.remarks
    moved = inv("migrate", "--yes", "--json")
    assert moved.document["moved"] == 2, moved.remarks
    with dialer(stack, "operator")(6) as client:
        assert client.get("session:old") == b"s"
    assert inv("migrate.list", "--json").document["migrations"]
    back = inv("migrate", "--rollback", "--yes")
    assert back.exit_code == 0, back.remarks
    with dialer(stack, "operator")(0) as client:
        assert client.mget(list(legacy)) == [b"s", b"p", b"n"]
        client.delete(*legacy)


@pytest.fixture
def without_facts(stack: Stack) -> Iterator[None]:
    """The knowledge agent's counter is put aside, as if it had never stored anything."""
    aside = f"{COUNTER}:aside"
    with dialer(stack, "operator")(stack.catalogs.databases["knowledge"].number) as client:
        if known := client.exists(COUNTER):
            client.rename(COUNTER, aside)
        yield
        if known:
            client.rename(aside, COUNTER)


@pytest.mark.usefixtures("without_facts")
def test_demo_keys_are_refused_where_the_agent_has_facts(stack: Stack, inv: Inv) -> None:
    with dialer(stack, "operator")(stack.catalogs.databases["knowledge"].number) as client:
        client.set(COUNTER, 7)
        refused = inv("demo.seed", "--keys", "60", "--yes")
        client.delete(COUNTER)
    assert refused.exit_code == 5
    assert "the knowledge agent's facts are in 'knowledge'" in refused.remarks
    with dialer(stack, "operator")(0) as client:
        assert client.dbsize() == 0


@pytest.mark.usefixtures("without_facts")
def test_demo_keys_are_written_into_an_empty_database_or_after_a_yes(stack: Stack, inv: Inv) -> None:
    assert "would write 60 keys" in inv("demo.seed", "--keys", "60", "--dry-run").output
    assert inv("demo.seed", "--dry-run", "--big", "--json").document["big"] is True
    with dialer(stack, "operator")(0) as client:
        assert client.dbsize() == 0
        client.set("cache:here", "before")
        refused = inv("demo.seed", "--keys", "60", answer="n")
        assert refused.exit_code == 5
        assert "holds 1 keys; write 60 keys among them, over those of the same names?" in refused.remarks
        assert client.dbsize() == 1
        assert "wrote 60 keys" in inv("demo.seed", "--keys", "60", answer="y").output
        assert client.dbsize() == 61
        client.delete(*client.keys())
        assert inv("demo.seed", "--keys", "60", "--json").document["commands"] >= 60
        client.delete(*client.keys())


@pytest.mark.usefixtures("without_facts")
def test_demo_keys_are_written_over_their_own_after_a_yes(stack: Stack, inv: Inv) -> None:
    with dialer(stack, "operator")(0) as client:
        assert inv("demo.seed", "--keys", "60").exit_code == 0
        first = {key: client.type(key) for key in client.scan_iter()}
        assert b"stream" in first.values()
        client.delete("ping")
        client.sadd("ping", "of another type")
        again = inv("demo.seed", "--keys", "60", answer="y")
        assert again.exit_code == 0, again.remarks
        assert {key: client.type(key) for key in client.scan_iter()} == first
        client.delete(*first)
