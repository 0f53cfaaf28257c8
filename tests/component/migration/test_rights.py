"""The stack's own users can do all of it, over TLS: `migrate` moves, `backup` reads the stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autobot_ops.demo.legacy_keys import legacy_commands
from autobot_ops.demo.seeding import write_commands
from autobot_ops.migration.conflicts import Choice
from autobot_ops.migration.session import Session
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.target import Target
from autobot_ops.verbs.migration_steps import Options, migrate_keys
from autobot_ops.verbs.rollback_steps import take_back
from autobot_ops.verbs.transfer_steps import TransferOptions, transfer_keys
from src.utils.redis_tls import trust
from tests.component.migration.conftest import StartServer, seed
from tests.component.migration.migrating import CATALOGS, ROUTES, YES
from tests.component.tls_redis_process import TlsRedisProcess


def endpoint_of(server: TlsRedisProcess, user: str) -> Endpoint:
    """The server as one of its users sees it."""
    return Endpoint(
        "127.0.0.1", server.port, user, server.passwords[user], trust(str(server.ca_file)), "redis"
    )


@pytest.fixture
def redis_with_users(tmp_path: Path) -> Iterator[TlsRedisProcess]:
    server = TlsRedisProcess(tmp_path / "redis")
    server.start()
    with server.operator() as client:
        write_commands(client, legacy_commands(3000, now=time.time_ns() // 1_000_000), lambda _: None)
        client.set("session:both", "legacy", px=900_000)
    with server.operator(6) as client:
        client.set("session:both", "present", px=500_000)
    yield server
    server.stop()


@pytest.mark.parametrize("choice", ["replace", "keep-newer"])
def test_brings_keys_of_another_server_with_the_stacks_users(
    redis_with_users: TlsRedisProcess, start_server: StartServer, tmp_path: Path, choice: Choice
) -> None:
    source = start_server()
    seed(source, 500)
    source.client().set("session:both", "from elsewhere", px=950_000)
    commands, streams, loading = (
        endpoint_of(redis_with_users, user) for user in ("migrate", "backup", "restore")
    )
    session = Session(commands, streams, tmp_path / "state", ROUTES, CATALOGS.digest, range(16, 31))
    options = TransferOptions(on_conflict=choice, assume_yes=True)
    transfer_keys(Target(session, loading), Endpoint("127.0.0.1", source.port), options)
    with redis_with_users.operator(6) as target:
        assert target.get("session:both") == "from elsewhere"


@pytest.mark.parametrize("choice", ["replace", "keep-newer"])
def test_moves_resolves_verifies_and_takes_back_with_the_stacks_users(
    redis_with_users: TlsRedisProcess, tmp_path: Path, choice: str
) -> None:
    commands, streams = (endpoint_of(redis_with_users, user) for user in ("migrate", "backup"))
    session = Session(commands, streams, tmp_path / "state", ROUTES, CATALOGS.digest, range(16, 31))
    migrate_keys(session, Options(assume_yes=True, on_conflict=choice), None)
    with redis_with_users.operator() as source, redis_with_users.operator(6) as target:
        assert source.exists("session:both") == 0
        assert target.get("session:both") == "legacy"
        take_back(session, YES, "")
        assert source.get("session:both") == "legacy"
        assert target.get("session:both") == "present"
        assert source.dbsize() == 3001
    assert session.writers() == []
