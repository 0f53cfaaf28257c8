"""Backup and restore of the live stack by the real verbs, while its agents run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER
from autobot_ops.ports import Dialer
from tests.integration.conftest import Stack, run_inv
from tests.integration.redis_contents import assert_same, read_contents

pytestmark = pytest.mark.usefixtures("own_stack")

FAR = 4_000_000_000_000
SESSIONS, TESTING = 6, 15
TYPES = {b"string", b"hash", b"list", b"set", b"zset", b"stream"}
PREFIX = b"session:integration:"


@dataclass(frozen=True)
class Backups:
    """Archives of all tiers of the stack, in a folder of this test."""

    stack: Stack
    folder: Path

    def inv(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**self.stack.environment, "AUTOBOT_BACKUP_DIR": str(self.folder)}
        return run_inv(*arguments, environment=environment, check=check)

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.inv("backup.list", "--json").stdout)["archives"]
        return found


@pytest.fixture
def operator(stack: Stack) -> Dialer:
    return dialer(stack.opened, "operator")


@pytest.fixture
def conversation(stack: Stack) -> str:
    answer = httpx.post(stack.url("chat", "/chat/conversations"), json={"title": "kept"}, timeout=30)
    return str(answer.raise_for_status().json()["id"])


@pytest.fixture
def backups(stack: Stack, operator: Dialer, conversation: str, tmp_path: Path) -> Iterator[Backups]:
    with operator(SESSIONS) as client:
        write_every_type(client)
    with operator(TESTING) as client:
        client.set("test:integration", "never archived")
    made = Backups(stack, tmp_path)
    made.inv("backup", "--all")
    yield made
    made.inv("restore.commit", "sessions", "--yes", check=False)
    with operator(SESSIONS) as client:
        client.delete(*ours(client))
    with operator(TESTING) as client:
        client.delete("test:integration")


def write_every_type(client: redis.Redis) -> None:
    def key(name: str) -> bytes:
        return PREFIX + name.encode()

    client.set(key("string"), b"\x00\xff binary")
    client.set(key("expires"), "later", pxat=FAR)
    client.hset(key("hash"), mapping={f"field {n}": f"value {n}" for n in range(700)})
    client.rpush(key("list"), *(f"message {n}" for n in range(300)))
    client.sadd(key("set"), *range(40))
    client.zadd(key("zset"), {f"member {n}": n / 3 for n in range(200)})
    client.delete(key("stream"))
    for number in range(1, 6):
        client.xadd(key("stream"), {"text": str(number)}, id=f"{number}-1")
    client.xgroup_create(key("stream"), "readers", "0")
    client.xreadgroup("readers", "first", {key("stream"): ">"}, count=2)


def ours(client: redis.Redis) -> list[bytes]:
    return sorted(client.scan_iter(match=PREFIX + b"*", count=1000))


def contents(client: Any) -> dict[bytes, tuple[Any, ...]]:
    """Each key with its expiry, type and value, as plain commands tell them."""
    read: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda key: (client.xrange(key), groups(client, key), client.xpending_range(
            key, "readers", "-", "+", 10)),
    }  # fmt: skip
    found: dict[bytes, tuple[Any, ...]] = {}
    for key in ours(client):
        kind = client.type(key)
        value = read[kind](key)
        if kind == b"stream":
            # How long ago a message was delivered goes on counting.
            value = (*value[:2], [(each["message_id"], each["times_delivered"]) for each in value[2]])
        found[key] = (client.pexpiretime(key), kind, value)
    return found


def groups(client: redis.Redis, key: bytes) -> list[tuple[Any, ...]]:
    return [(each["name"], each["pending"], each["last-delivered-id"]) for each in client.xinfo_groups(key)]


@pytest.mark.obligation(24)
def test_backup_wipe_restore_is_exact_and_leaves_the_others_alone(
    stack: Stack, operator: Dialer, backups: Backups, conversation: str
) -> None:
    with operator(SESSIONS) as client:
        before, everything_before = contents(client), read_contents(stack)
        assert len(before) == 7
        assert {kind for _, kind, _ in before.values()} == TYPES
        client.flushdb()
        backups.inv("restore", "--database", "sessions", "--yes")
        everything_after = read_contents(stack)
        # What was wiped is kept for an undo, and the ledger of restores says so: above the catalog's numbers.
        own = {number: held for number, held in everything_after.items() if number <= LAST_CATALOG_NUMBER}
        assert_same(everything_before, own)
        assert b"test:integration" in own[TESTING]
        assert contents(client) == before
        found = httpx.get(stack.url("chat", f"/chat/conversations/{conversation}"), timeout=30)
        assert found.json()["title"] == "kept"
        backups.inv("restore.undo", "sessions", "--yes")
        assert contents(client) == {}
        backups.inv("restore", "--database", "sessions", "--yes")
        backups.inv("restore.commit", "sessions", "--yes")
        assert contents(client) == before
    restarts = {container.name: container.attrs["RestartCount"] for container in stack.containers()}
    assert set(restarts.values()) == {0}


@pytest.mark.obligation(24)
def test_every_tier_is_archived_and_testing_never(stack: Stack, backups: Backups) -> None:
    found = {each["tier"]: each for each in backups.listed()}
    assert set(found) == {"critical", "important", "optional"}
    taken = {name for each in found.values() for name in each["databases"]}
    assert taken == set(stack.catalogs.databases) - {"testing"}
    refused = backups.inv("backup", "--tier", "testing", check=False)
    assert refused.returncode == 2


def test_archives_survive_a_restore_drill(stack: Stack, backups: Backups) -> None:
    done = backups.inv("backup.verify", "--deep", "--json")
    results = json.loads(done.stdout)["archives"]
    assert len(results) == 3
    assert all(each["deep"] and not each["failure"] for each in results)


@pytest.mark.obligation(24)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "edited manifest"])
def test_a_damaged_archive_is_refused_before_any_write(stack: Stack, backups: Backups, damage: str) -> None:
    (folder,) = (backups.folder / stack.project).glob("*-critical")
    part = folder / "databases/sessions.rdb.zst.age"
    content = part.read_bytes()
    if damage == "truncated":
        part.write_bytes(content[:-1])
    elif damage == "flipped":
        part.write_bytes(content[:-10] + bytes([content[-10] ^ 1]) + content[-9:])
    else:
        manifest = folder / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"number": 6', '"number": 7'))
    before = read_contents(stack)
    refused = backups.inv("restore", "--database", "sessions", "--from", folder.name, "--yes", check=False)
    assert refused.returncode == 5, refused.stderr
    assert folder.name in refused.stderr
    assert_same(before, read_contents(stack))


def test_what_was_done_is_in_the_history(stack: Stack, backups: Backups) -> None:
    listed = json.loads(stack.inv("history", "--verb", "backup", "--limit", "1", "--json").stdout)
    assert "critical" in json.dumps(listed)
