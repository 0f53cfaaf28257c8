"""TLS as the stack has it, against a real server: who is refused, and what is checked."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from autobot_ops.adapters.redis_server import dialer_to, logs_in
from autobot_ops.isolation import certificates
from src.utils.redis_database_manager import redis_db_manager
from tests.component.redis_process import REPOSITORY
from tests.component.tls_redis_process import TlsRedisProcess

pytestmark = pytest.mark.usefixtures("as_chat")


@pytest.fixture
def as_chat(act_as_over_tls: Callable[[str], None]) -> None:
    """This process is the chat agent."""
    act_as_over_tls("chat")


def foreign_authority(folder: Path) -> Path:
    path = folder / "foreign.pem"
    pair = certificates.make_authority("autobot", datetime.datetime.now(datetime.UTC))
    path.write_text(pair.certificate, encoding="utf-8")
    return path


def ping() -> None:
    assert redis_db_manager.get_connection("main").ping()


def ping_async() -> None:
    async def run() -> None:
        try:
            assert await redis_db_manager.get_async_connection("main").ping()
        finally:
            await redis_db_manager.close_all_async_connections()

    asyncio.run(run())


KINDS = pytest.mark.parametrize("connect", [ping, ping_async])


@KINDS
def test_an_agent_gets_in_over_tls(connect: Callable[[], None]) -> None:
    connect()


def test_nobody_gets_in_without_tls(tls_redis: TlsRedisProcess) -> None:
    with redis.Redis(port=tls_redis.port) as plain, pytest.raises(redis.ConnectionError):
        plain.ping()


def test_nobody_gets_in_with_an_old_tls(tls_redis: TlsRedisProcess) -> None:
    context = ssl.create_default_context(cafile=str(tls_redis.ca_file))
    # Without this our own side would refuse, and the server's part would go untested.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", tls_redis.port)) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


@KINDS
def test_an_agent_refuses_a_server_of_another_authority(
    tls_redis: TlsRedisProcess,
    connect: Callable[[], None],
    act_as_over_tls: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # The system trusts the server's authority here: what the system trusts doesn't count.
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_redis.ca_file))
    act_as_over_tls("chat")
    monkeypatch.setenv("REDIS_TLS_CA_FILE", str(foreign_authority(tmp_path)))
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        connect()


@KINDS
def test_an_agent_refuses_a_server_with_another_name(
    tls_redis: TlsRedisProcess, connect: Callable[[], None]
) -> None:
    tls_redis.give_certificate(["postgres", "autobot-postgres"])
    with pytest.raises(redis.ConnectionError, match="Hostname mismatch"):
        connect()


def test_the_operator_gets_in_by_address(tls_redis: TlsRedisProcess) -> None:
    tls_redis.give_certificate(["redis"])
    with dialer_to(tls_redis.endpoint, tls_redis.secrets_dir, "operator")(6) as client:
        assert client.client_info()["db"] == 6


def test_the_operator_refuses_a_server_with_another_name(tls_redis: TlsRedisProcess) -> None:
    tls_redis.give_certificate(["postgres", "127.0.0.1"])
    dial = dialer_to(tls_redis.endpoint, tls_redis.secrets_dir, "operator")
    with dial(0) as client, pytest.raises(redis.ConnectionError, match="Hostname mismatch"):
        client.ping()


def test_the_operator_refuses_a_server_of_another_authority(tls_redis: TlsRedisProcess) -> None:
    foreign = certificates.make_authority("autobot", datetime.datetime.now(datetime.UTC))
    tls_redis.give_certificate(["redis"], foreign)
    dial = dialer_to(tls_redis.endpoint, tls_redis.secrets_dir, "operator")
    with dial(0) as client, pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        client.ping()


@pytest.mark.parametrize("user", ["chat", "monitor", "backup", "restore"])
def test_a_login_can_be_tried_for_users_that_may_do_next_to_nothing(
    tls_redis: TlsRedisProcess, user: str
) -> None:
    folder = tls_redis.secrets_dir
    assert logs_in(tls_redis.endpoint, folder, user, tls_redis.passwords[user])
    assert not logs_in(tls_redis.endpoint, folder, user, "wrong")


def run_redis_cli(server: TlsRedisProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "docker/redis/redis-cli", *arguments],
        env={"PATH": os.environ["PATH"], "REDIS_SOCKET": str(server.socket)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("arguments", [["ping"], ["-n", "0", "ping"], ["--no-raw", "-r", "1", "PING"]])
def test_redis_cli_in_the_container_finds_its_server(
    tls_redis: TlsRedisProcess, arguments: list[str]
) -> None:
    # Whoever gives no password is `default`, which is off in tests: being asked for one is an answer.
    assert "NOAUTH" in run_redis_cli(tls_redis, *arguments).stdout


def test_redis_cli_takes_what_follows_the_command_for_data(tls_redis: TlsRedisProcess) -> None:
    assert "NOAUTH" in run_redis_cli(tls_redis, "echo", "-p").stdout


@pytest.mark.parametrize("option", [["-p", "1"], ["-n", "0", "-h", "127.0.0.1", "-p", "1"], ["-s", "/x"]])
def test_redis_cli_obeys_an_address_that_it_is_given(tls_redis: TlsRedisProcess, option: list[str]) -> None:
    answer = run_redis_cli(tls_redis, *option, "ping")
    assert answer.returncode != 0
    assert "Could not connect" in answer.stderr
