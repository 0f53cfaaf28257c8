"""What `inv database.list` and `database.check` read of a live server, as the operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from autobot_ops.catalog.routing import make_router
from autobot_ops.isolation.listing import COLUMNS, list_databases
from autobot_ops.isolation.observation import (
    SAMPLED_KEYS,
    RedisUnreachable,
    estimate_memory,
    observe,
    sample_keys,
    walk_keys,
)
from autobot_ops.isolation.separation import judge_keys
from autobot_ops.ports import Dialer
from tests.component.redis_process import DATABASES, RedisProcess
from tests.free_ports import free_port

SESSIONS, LOGS = 6, 5


def dialer_of(server: RedisProcess, user: str = "operator") -> Dialer:
    """Connections as one of the server's users."""
    return lambda number: redis.Redis(
        port=server.port, db=number, username=user, password=server.passwords[user], socket_timeout=5
    )


@pytest.fixture
def dial(redis_process: RedisProcess) -> Dialer:
    """The operator, on a server with 1,000 sessions, half of them with an expiry, and one log."""
    with redis_process.operator(SESSIONS) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set(f"session:{number}", "x" * 100, ex=10_000 if number % 2 else None)
        pipeline.execute()
    with redis_process.operator(LOGS) as client:
        client.set("autobot:errors:1", "text")
    return dialer_of(redis_process)


def test_reads_the_servers_state_at_once(dial: Dialer) -> None:
    with dial(SESSIONS) as other:
        other.ping()
        state = observe(dial)
    assert state.version.count(".") == 2
    assert state.databases == DATABASES
    assert state.maxmemory == 0
    assert state.memory_percent == 0
    assert state.used_memory > 0
    assert {number: each.keys for number, each in state.keyspace.items()} == {SESSIONS: 1000, LOGS: 1}
    assert state.keyspace[SESSIONS].expiring == 500
    assert state.connections[SESSIONS] == 1


def test_walks_every_key_and_samples_some(dial: Dialer) -> None:
    everything = {b"session:%d" % number for number in range(1000)}
    assert set(walk_keys(dial, SESSIONS)) == everything
    sample = list(sample_keys(dial, SESSIONS))
    assert len(sample) == len(set(sample)) <= SAMPLED_KEYS
    assert set(sample) < everything
    assert list(sample_keys(dial, 9)) == []


def test_memory_is_estimated_from_a_sample(dial: Dialer, redis_process: RedisProcess) -> None:
    with redis_process.operator(SESSIONS) as client:
        one = client.memory_usage("session:500")
    assert one is not None
    assert estimate_memory(dial, SESSIONS, 1000) == pytest.approx(1000 * one, rel=0.2)
    assert estimate_memory(dial, 9, 0) == 0


def test_a_row_for_each_database_of_the_catalog(dial: Dialer, redis_process: RedisProcess) -> None:
    catalogs = redis_process.catalogs
    rows = {row.name: row for row in list_databases(dial, observe(dial), catalogs)}
    assert list(rows) == sorted(catalogs.databases, key=lambda name: catalogs.databases[name].number)
    sessions = rows["sessions"]
    assert (sessions.keys, sessions.expiring, sessions.alerts) == (1000, 500, ())
    assert sessions.memory_bytes > 100_000
    assert len(sessions.cells) == len(COLUMNS)
    assert sessions.cells[:4] == ("sessions", "6", "1,000", "500")
    assert rows["models"].cells[4] == ""


def test_a_limit_that_is_exceeded_is_named(dial: Dialer, redis_process: RedisProcess) -> None:
    catalogs, state = redis_process.catalogs, observe(dial)
    alerts = catalogs.databases["sessions"].alerts.model_copy(update={"keys": 999})
    strict = catalogs.databases["sessions"].model_copy(update={"alerts": alerts})
    changed = replace(catalogs, databases={**catalogs.databases, "sessions": strict})
    rows = {row.name: row for row in list_databases(dial, state, changed)}
    assert rows["sessions"].alerts == ("keys",)
    assert rows["logs"].alerts == ()


def test_a_key_of_another_database_is_found(dial: Dialer, redis_process: RedisProcess) -> None:
    with redis_process.operator(LOGS) as client:
        client.set("session:lost", "x")
    router = make_router(redis_process.catalogs.databases)
    found = list(judge_keys("logs", list(walk_keys(dial, LOGS)), router))
    assert len(found) == 1
    assert "sessions" in found[0].message
    assert not list(judge_keys("sessions", list(walk_keys(dial, SESSIONS)), router))


@pytest.mark.parametrize("look", [observe, lambda dial: list(walk_keys(dial, 0))], ids=["state", "keys"])
def test_a_user_without_rights_is_told_how_to_load_the_rules(
    redis_process: RedisProcess, look: Callable[[Dialer], object]
) -> None:
    with pytest.raises(RedisUnreachable, match="refuses the operator"):
        look(dialer_of(redis_process, "chat"))
    redis_process.passwords["operator"] = "wrong"
    with pytest.raises(RedisUnreachable, match="refuses the operator"):
        look(dialer_of(redis_process))


def test_a_server_that_is_gone_is_said() -> None:
    port = free_port()
    with pytest.raises(RedisUnreachable, match="does not answer"):
        observe(lambda number: redis.Redis(port=port, db=number))
