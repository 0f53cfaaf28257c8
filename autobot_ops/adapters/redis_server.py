"""The stack's Redis as seen from the host: at its container's address on the data network.

Nothing publishes that port, so this works where containers' addresses are routed to the host: on the
machine that runs the engine, and not through Docker Desktop's virtual machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import redis
from redis.credentials import CredentialProvider, UsernamePasswordCredentialProvider
from redis.maint_notifications import MaintNotificationsConfig

from autobot_ops.adapters import containers
from autobot_ops.adapters.tls_peer import NoTrustedTls, peer_certificate
from autobot_ops.errors import ConfigurationError, ServiceUnreachable
from autobot_ops.isolation.secrets import read_secret, redis_password_name
from autobot_ops.isolation.tls_files import AUTHORITY
from autobot_ops.ports import Dialer
from autobot_ops.rdb import stream as rdb
from src.utils.redis_credentials import FileCredentialProvider
from src.utils.redis_tls import TlsConnection, trust

if TYPE_CHECKING:
    from autobot_ops.stack.stack import Stack

SERVICE = "redis"
PORT = 6379
CONNECT_SECONDS = 3.0
REPLY_SECONDS = 60.0
"""Longer than an agent waits: an operator's command may walk a whole database."""


class RedisOutOfReach(ServiceUnreachable):
    """The stack's Redis doesn't run, or its address can't be reached from this host."""


class InvalidAddress(ConfigurationError):
    """A URL that names no Redis server."""


@dataclass(frozen=True)
class Endpoint:
    """Where Redis listens on the data network."""

    host: str
    port: int


def endpoint(stack: Stack) -> Endpoint:
    """The address of the running Redis, which has shown a certificate of this project's authority.

    Raises RedisOutOfReach, or SecretUnreadable where the project has no authority yet.
    """
    address = containers.service_address(stack.client, stack.settings.project, SERVICE)
    if address is None:
        raise RedisOutOfReach(
            f"redis of {stack.settings.project} does not run", hint="inv up starts it; inv status shows it."
        )
    trusted = read_secret(stack.settings.secrets_dir, AUTHORITY)
    try:
        peer_certificate(address, PORT, name=SERVICE, trusted=trusted)
    except NoTrustedTls as error:
        raise RedisOutOfReach(
            error.message,
            hint="inv status says whether it runs, inv config.check looks at its certificate. Where the "
            "engine has a machine of its own (Docker Desktop, a remote DOCKER_HOST), run inv there.",
        ) from error
    return Endpoint(address, PORT)


def dialer(stack: Stack, role: str) -> Dialer:
    """Opens connections to the stack's Redis as one of its users (`operator`, `backup`, an agent, …).

    Over TLS, to a server that the project's authority has signed as `redis`. The address is looked up
    once; password and authority are read for every connection, so rotated ones hold. No command is
    repeated after a failure. Raises RedisOutOfReach, or SecretUnreadable for a role without a password.
    """
    folder = stack.settings.secrets_dir
    read_secret(folder, redis_password_name(role))
    return dialer_to(endpoint(stack), folder, role)


def dialer_to(server: Endpoint, folder: Path, role: str) -> Dialer:
    """As dialer, for a server whose address is known, with the secrets of this folder."""
    credentials = FileCredentialProvider(username=role, password_file=str(folder / redis_password_name(role)))

    return _dialer(server, folder, credentials)


def replication_endpoint(stack: Stack) -> rdb.Endpoint:
    """The running Redis as `autobot_ops.rdb` reads its stream, as the user `backup`. Raises as dialer."""
    return endpoint_for(stack, "backup")


def endpoint_for(stack: Stack, role: str) -> rdb.Endpoint:
    """The running Redis as one of its users, for who needs no client library. Raises as dialer."""
    folder = stack.settings.secrets_dir
    password = read_secret(folder, redis_password_name(role))
    server = endpoint(stack)
    return rdb.Endpoint(
        server.host,
        server.port,
        username=role,
        password=password,
        tls=trust(str(folder / AUTHORITY)),
        server_name=SERVICE,
    )


def endpoint_from_url(url: str) -> rdb.Endpoint:
    """Any server by its URL (`redis://`, `rediss://`). Raises InvalidAddress for what is no such URL."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, 0
    if parts.scheme not in {"redis", "rediss"} or not host:
        raise InvalidAddress(
            "not the address of a Redis server",
            hint="Use redis://USER:PASSWORD@HOST:PORT, or rediss://… for TLS.",
        )
    return rdb.Endpoint(
        host,
        port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=trust(None) if parts.scheme == "rediss" else None,
    )


def dialer_from_url(url: str) -> Dialer:
    """Opens connections to any server by its URL (`redis://`, `rediss://`, `unix://`).

    Raises InvalidAddress for what is no such URL.
    """

    def dial(number: int) -> redis.Redis:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=REPLY_SECONDS, driver_info=None
        )
        client.connection_pool.connection_kwargs["db"] = number
        return client

    try:
        dial(0).close()
    except ValueError as error:
        raise InvalidAddress(
            f"not the address of a Redis server: {error}",
            hint="Use redis://USER:PASSWORD@HOST:PORT, rediss://… for TLS, or unix://PATH.",
        ) from error
    return dial


@contextmanager
def answering(dial: Dialer) -> Iterator[redis.Redis]:
    """A connection to database 0, closed at the end. Raises RedisOutOfReach, also for a refused login."""
    with dial(0) as client:
        try:
            yield client
        except redis.AuthenticationError as error:
            raise RedisOutOfReach(
                f"redis refuses the login: {error}", hint="inv up brings users and passwords in line."
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise RedisOutOfReach(
                f"redis does not answer: {error}", hint="inv status says whether it runs."
            ) from error


def logs_in(server: Endpoint, folder: Path, user: str, password: str) -> bool:
    """Whether the server lets a user in with a password. Raises RedisOutOfReach when it doesn't answer."""
    dial = _dialer(server, folder, UsernamePasswordCredentialProvider(user, password))
    with answering(dial) as client:
        try:
            # Opening it logs in and asks for nothing else, which not every user may.
            client.connection_pool.get_connection()
        except redis.AuthenticationError:
            return False
    return True


def _dialer(server: Endpoint, folder: Path, credentials: CredentialProvider) -> Dialer:
    def dial(number: int) -> redis.Redis:
        pool = redis.ConnectionPool(
            connection_class=TlsConnection,
            host=server.host,
            port=server.port,
            db=number,
            credential_provider=credentials,
            ssl_ca_certs=str(folder / AUTHORITY),
            ssl_server_name=SERVICE,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=REPLY_SECONDS,
            # Redis 7.0 doesn't know CLIENT SETINFO, and only SELECT may precede the first command.
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        return redis.Redis.from_pool(pool)

    return dial
