"""Users of Redis as its container starts them; what each may do is tried in test_access_matrix.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from autobot_ops.catalog import load_catalogs
from tests.component.users_server import UsersServer
from tests.conftest import ROOT

CATALOGS = load_catalogs(ROOT)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsersServer]:
    running = UsersServer(tmp_path_factory.mktemp("users"), CATALOGS)
    running.start()
    yield running
    running.stop()


def test_one_password_does_not_open_another_user(server: UsersServer) -> None:
    with (
        redis.Redis(port=server.port, username="rag", password=server.passwords["chat"]) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_without_a_password_one_may_ping_and_nothing_else(server: UsersServer) -> None:
    with redis.Redis(port=server.port) as client:
        assert client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get("x")


def test_transactions_survive_a_restart(server: UsersServer) -> None:
    with server.client("chat") as client, client.pipeline(transaction=True) as pipeline:
        pipeline.set("cache:one", "1").set("cache:two", "2").execute()
    server.stop()
    server.start()
    with server.client("chat") as client:
        assert client.mget("cache:one", "cache:two") == ["1", "2"]
    with server.client("operator") as client:
        assert "starter" not in client.acl_users()
