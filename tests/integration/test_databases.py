"""The databases of the live stack: listed, checked, allocated, reloaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from autobot_ops.adapters.redis_server import dialer
from tests.integration.conftest import Stack

Dial = Callable[[str, int], redis.Redis]
EDITED = ("config/redis-databases.yaml", "config/agents.yaml", "docker/env/redis.env.example")


@pytest.fixture
def dial(own_stack: Stack) -> Dial:
    """Connects to the stack's Redis as one of its users, in one database."""
    return lambda user, number: dialer(own_stack.opened, user)(number)


@pytest.fixture
def catalogs_restored(own_stack: Stack, root: Path) -> Iterator[None]:
    """Put the catalogs back, and in force, whatever a test did to them."""
    before = {name: (root / name).read_bytes() for name in EDITED}
    yield
    for name, content in before.items():
        (root / name).write_bytes(content)
    own_stack.inv("database.reload")


def test_list_shows_keys_and_connections_of_every_database(stack: Stack, dial: Dial) -> None:
    with dial("operator", 15) as client:
        client.set("test:listed", "x", ex=60)
    rows = {row["name"]: row for row in json.loads(stack.inv("database.list", "--json").stdout)["databases"]}
    assert set(rows) == set(stack.catalogs.databases)
    assert (rows["testing"]["keys"], rows["testing"]["expiring"]) == (1, 1)
    assert rows["testing"]["memory_bytes"] > 0
    assert rows["agents"]["connections"] > 0


def test_check_finds_nothing_on_a_healthy_stack(stack: Stack) -> None:
    assert json.loads(stack.inv("database.check", "--full", "--json").stdout)["findings"] == []


@pytest.mark.parametrize("arguments", [(), ("--full",)])
def test_check_finds_a_key_in_the_wrong_database(
    stack: Stack, dial: Dial, arguments: tuple[str, ...]
) -> None:
    with dial("operator", 4) as client:
        client.set("session:stray", "x")
        try:
            done = stack.inv("database.check", *arguments, "--json", check=False)
        finally:
            client.delete("session:stray")
    assert done.returncode == 6
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["severity"], finding["subject"]) == ("error", "metrics")
    assert "of 'sessions', such as 'session:stray'" in finding["message"]


def test_check_finds_a_user_whose_rights_were_changed_and_reload_mends_it(stack: Stack, dial: Dial) -> None:
    with dial("operator", 0) as client:
        client.execute_command("ACL", "SETUSER", "chat", "+flushall")
    done = stack.inv("database.check", check=False)
    assert done.returncode == 6
    assert "user chat" in done.stderr
    stack.inv("database.reload")
    stack.inv("database.check")


def test_an_allocated_database_is_usable_without_a_restart(
    stack: Stack, dial: Dial, catalogs_restored: None
) -> None:
    started = {each.name: each.attrs["State"]["StartedAt"] for each in stack.containers()}
    stack.inv("database.allocate", "ballots", "--grant", "chat=read-write", "--grant", "rag=read")
    with dial("chat", 10) as chat, dial("rag", 10) as rag:
        chat.set("ballots:1", "aye")
        assert rag.get("ballots:1") == b"aye"
        with pytest.raises(redis.exceptions.NoPermissionError):
            rag.set("ballots:1", "nay")
        chat.delete("ballots:1")
    with pytest.raises(redis.exceptions.NoPermissionError), dial("npu", 10) as npu:
        npu.get("ballots:1")
    checks = httpx.get(stack.url("chat", "/health/chat")).json()["checks"]
    assert checks["redis.ballots:responseTime"][0]["status"] == "pass"
    assert {each.name: each.attrs["State"]["StartedAt"] for each in stack.containers()} == started


def test_agents_keep_a_valid_catalog_when_the_file_is_spoilt(
    stack: Stack, root: Path, catalogs_restored: None
) -> None:
    path = root / EDITED[0]
    path.write_text(path.read_text().replace("number: 7", "number: 6"))
    done = stack.inv("database.reload", check=False)
    assert done.returncode == 2
    assert "share the number 6" in done.stderr
    assert httpx.get(stack.url("chat", "/readyz")).status_code == 200
