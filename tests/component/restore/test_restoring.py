"""Restoring one database of a live server with the stack's users: what is there afterwards."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import Any

import pytest

from autobot_ops.restore.errors import (
    ContentDiffers,
    NoOpenRestore,
    NotEnoughMemory,
    NothingMatches,
    RestoreStillOpen,
)
from autobot_ops.restore.ledger import State
from autobot_ops.restore.restoring import apply_restore, commit, list_restores, recover, undo
from autobot_ops.restore.server import RestoreServer
from tests.component.redis_process import RedisProcess
from tests.component.restore.servers import archive_of, part_of, prepared


def keys_in(process: RedisProcess, number: int) -> dict[str, str]:
    with process.operator(number) as client:
        return {key: str(client.get(key)) for key in client.scan_iter()}


def write(process: RedisProcess, number: int, **values: str) -> None:
    with process.operator(number) as client:
        client.mset(values)


def staging_keys(process: RedisProcess) -> dict[int, int]:
    with process.operator() as client:
        found: dict[str, Any] = client.info("keyspace")
    return {int(name[2:]): each["keys"] for name, each in found.items() if int(name[2:]) > 15}


def test_brings_back_what_was_archived_and_keeps_the_former_content(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, one="1", two="2")
    part = archive_of(server, "sessions")
    write(redis_process, 6, two="changed", three="3")
    record = apply_restore(server, prepared(server, part))
    assert keys_in(redis_process, 6) == {"one": "1", "two": "2"}
    assert keys_in(redis_process, record.staging) == {"one": "1", "two": "changed", "three": "3"}
    assert list_restores(server) == [record]


def test_undo_brings_the_former_content_back(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, one="1")
    part = archive_of(server, "sessions")
    write(redis_process, 6, one="changed", three="3")
    apply_restore(server, prepared(server, part))
    undo(server, "sessions")
    assert keys_in(redis_process, 6) == {"one": "changed", "three": "3"}
    assert staging_keys(redis_process) == {}


def test_commit_gives_the_former_content_up(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, one="1")
    part = archive_of(server, "sessions")
    write(redis_process, 6, one="changed")
    apply_restore(server, prepared(server, part))
    commit(server, "sessions")
    assert keys_in(redis_process, 6) == {"one": "1"}
    assert staging_keys(redis_process) == {}
    with pytest.raises(NoOpenRestore):
        undo(server, "sessions")


def test_restores_into_another_database(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, one="1")
    write(redis_process, 7, other="7")
    apply_restore(server, prepared(server, archive_of(server, "sessions"), into="workflows"))
    assert keys_in(redis_process, 7) == keys_in(redis_process, 6) == {"one": "1"}
    undo(server, "workflows")
    assert keys_in(redis_process, 7) == {"other": "7"}


def test_restores_database_0(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 0, one="1")
    part = archive_of(server, "main")
    with redis_process.operator() as client:
        client.flushdb()
    apply_restore(server, prepared(server, part))
    assert keys_in(redis_process, 0) == {"one": "1"}


def test_refuses_a_second_restore_while_one_is_open(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, one="1")
    part = archive_of(server, "sessions")
    apply_restore(server, prepared(server, part))
    with pytest.raises(RestoreStillOpen, match="sessions"):
        prepared(server, part)
    assert prepared(server, part, into="workflows").plan.staging != list_restores(server)[0].staging


def test_refuses_a_file_that_is_not_the_manifests(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, one="1", two="2")
    part = archive_of(server, "sessions")
    with part.open() as source:
        content = source.read(1 << 20)
    figures: Any = part.figures
    for wrong in (
        replace(figures, keys=3),
        replace(figures, keys_with_expiry=1),
        replace(figures, fingerprint="2:" + "0" * 32),
    ):
        with pytest.raises(ContentDiffers):
            prepared(server, part_of(content, wrong))
    assert staging_keys(redis_process) == {}


def test_refuses_what_was_written_into_staging_meanwhile(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, one="1", two="2")
    part = archive_of(server, "sessions")
    write(redis_process, 6, one="live")
    ready = prepared(server, part)

    def meddle(word: str, _: object) -> None:
        if word == "compare":
            write(redis_process, ready.plan.staging, two="wrong")

    with pytest.raises(ContentDiffers, match="staging"):
        apply_restore(server, ready, step=meddle)
    assert keys_in(redis_process, 6) == {"one": "live", "two": "2"}
    assert staging_keys(redis_process) == {}


def test_refuses_when_memory_is_short(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, **{f"key:{number}": secrets.token_hex(500) for number in range(2000)})
    part = archive_of(server, "sessions")
    with redis_process.operator(6) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 2_000_000)
    with pytest.raises(NotEnoughMemory, match="MiB"):
        prepared(server, part)


def test_clears_away_what_a_crash_left(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, one="1")
    part = archive_of(server, "sessions")
    record = apply_restore(server, prepared(server, part))
    commit(server, "sessions")
    with server.ledger() as ledger:
        ledger.write(replace(record, state=State.LOADING))
    write(redis_process, record.staging, half="loaded")
    assert [each.id for each in recover(server)] == [record.id]
    assert staging_keys(redis_process) == {}
    assert keys_in(redis_process, 6) == {"one": "1"}


def test_exchanges_only_what_matches(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, **{"session:1": "old", "session:2": "old", "chat:1": "old"})
    part = archive_of(server, "sessions")
    with redis_process.operator(6) as client:
        client.delete("session:2")
    write(redis_process, 6, **{"session:1": "new", "session:3": "new", "chat:1": "new"})
    before = keys_in(redis_process, 6)
    record = apply_restore(server, prepared(server, part, match="session:*"))
    after = {"session:1": "old", "session:2": "old", "session:3": "new", "chat:1": "new"}
    assert keys_in(redis_process, 6) == after
    assert record.state is State.OPEN
    undo(server, "sessions")
    assert keys_in(redis_process, 6) == before
    assert staging_keys(redis_process) == {}


def test_a_pattern_that_matches_nothing_opens_no_restore(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, **{"session:1": "old"})
    part = archive_of(server, "sessions")
    for pattern in ("nothing:*", "session"):
        with pytest.raises(NothingMatches, match=pattern):
            prepared(server, part, match=pattern)
    assert list_restores(server) == []


def test_commits_what_matches(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, **{f"session:{n}": "old" for n in range(1000)})
    part = archive_of(server, "sessions")
    write(redis_process, 6, **{f"session:{n}": "new" for n in range(500, 1500)})
    apply_restore(server, prepared(server, part, match="session:*"))
    commit(server, "sessions")
    found = keys_in(redis_process, 6)
    assert found == {f"session:{n}": "old" if n < 1000 else "new" for n in range(1500)}
    assert staging_keys(redis_process) == {}


def test_agents_connections_go_on(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, **{f"session:{n}": "old" for n in range(20_000)})
    part = archive_of(server, "sessions")
    stop, failures, answered = threading.Event(), list[str](), [0]

    def ask() -> None:
        with redis_process.operator(6) as client:
            identity = client.client_id()
            while not stop.is_set():
                if client.get("session:7") != "old":
                    failures.append("a wrong answer")
                answered[0] += 1
            if client.client_id() != identity:
                failures.append("a new connection")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        apply_restore(server, prepared(server, part))
        undo(server, "sessions")
    finally:
        stop.set()
        thread.join()
    assert not failures
    assert answered[0] > 100
