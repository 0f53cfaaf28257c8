"""Redis behind Sentinel: which settings name it, and pools that ask it where the master is.

`REDIS_SENTINEL_HOSTS` (host:port,host:port; 26379 without a port) turns it on and makes REDIS_HOST
and REDIS_PORT meaningless; `REDIS_SENTINEL_SERVICE` is the master's name ("mymaster" if not given);
`REDIS_SENTINEL_USERNAME`, `REDIS_SENTINEL_PASSWORD` and `REDIS_SENTINEL_PASSWORD_FILE` are for the
Sentinels themselves, whose user needs `+ping +hello +auth +sentinel|masters`. REDIS_TLS* holds for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from src.errors import ConfigurationInvalid
from src.utils.redis_bounded_pool import BoundedPool
from src.utils.redis_credentials import FileCredentialProvider, credentials_from
from src.utils.redis_tls import AsyncTlsConnection, TlsConnection

DEFAULT_SENTINEL_PORT = 26379
DEFAULT_SERVICE = "mymaster"
# A Sentinel that doesn't answer within this is passed over for the next one.
SENTINEL_TIMEOUT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class SentinelSettings:
    """Where the Sentinels are, and the name of the master that they watch."""

    addresses: tuple[tuple[str, int], ...]
    service: str = DEFAULT_SERVICE
    credentials: FileCredentialProvider | None = field(default=None, repr=False, compare=False)


def load_sentinel_settings(values: Mapping[str, str]) -> SentinelSettings | None:
    """The settings in an environment; None without REDIS_SENTINEL_HOSTS. Raises `ConfigurationInvalid`."""
    hosts = [part.strip() for part in values.get("REDIS_SENTINEL_HOSTS", "").split(",") if part.strip()]
    if not hosts:
        for variable in ("REDIS_SENTINEL_SERVICE", "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD_FILE"):
            if values.get(variable):
                raise ConfigurationInvalid(
                    f"{variable} is set and REDIS_SENTINEL_HOSTS is not",
                    hint="Set REDIS_SENTINEL_HOSTS to host:port,host:port, or remove the others.",
                )
        return None
    return SentinelSettings(
        addresses=tuple(_address(host) for host in hosts),
        service=values.get("REDIS_SENTINEL_SERVICE") or DEFAULT_SERVICE,
        credentials=credentials_from(values, "REDIS_SENTINEL_"),
    )


class MasterConnection(redis.sentinel.SentinelManagedConnection):
    """A connection that asks for the master at every attempt.

    Redis-py's own asks when a pool hands it out and then retries a failed command at the address it
    had, so each command that a failover interrupts would fail however often it is retried.
    """

    def connect(self) -> None:
        """Connect to whom Sentinel names now, with the retries of the pool."""
        self.retry.call_with_retry(self.connect_check_health, lambda _error: None)

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = False) -> None:
        """One attempt; a command that is retried comes here as well."""
        if not self.is_connected:
            self.host, self.port = self.connection_pool.get_master_address()
            super().connect_check_health(check_health, retry_socket_connect=False)


class TlsMasterConnection(MasterConnection, TlsConnection):
    """The same over TLS."""


class AsyncMasterConnection(redis.asyncio.sentinel.SentinelManagedConnection):
    """The same for asyncio."""

    async def connect(self) -> None:
        """Connect to whom Sentinel names now, with the retries of the pool."""

        async def pause_is_enough(_error: Exception) -> None:
            pass

        await self.retry.call_with_retry(self.connect_check_health, pause_is_enough)

    async def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = False
    ) -> None:
        """One attempt; a command that is retried comes here as well."""
        if not self.is_connected:
            self.host, self.port = await self.connection_pool.get_master_address()
            await super().connect_check_health(check_health, retry_socket_connect=False)


class AsyncTlsMasterConnection(AsyncMasterConnection, AsyncTlsConnection):
    """The same over TLS."""


class BlockingSentinelPool(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):
    """Redis-py's two pools in one: connections to the present master, callers wait for a free one."""


class AsyncBlockingSentinelPool(redis.asyncio.sentinel.SentinelConnectionPool, BoundedPool):
    """The same for asyncio."""


def sentinel_pool(
    sentinel: SentinelSettings, tls: Mapping[str, Any], arguments: Mapping[str, Any]
) -> BlockingSentinelPool:
    """A pool whose new connections go to whom Sentinel names as the master. Opens nothing."""
    manager = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        list(sentinel.addresses),
        sentinel_kwargs=_sentinel_arguments(sentinel, tls) | {"retry": Retry(NoBackoff(), 0)},
    )
    if tls:
        for watcher in manager.sentinels:
            watcher.connection_pool.connection_class = TlsConnection
    return BlockingSentinelPool(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        sentinel.service,
        manager,
        connection_class=TlsMasterConnection if tls else MasterConnection,
        **_without_address(arguments),
    )


def async_sentinel_pool(
    sentinel: SentinelSettings, tls: Mapping[str, Any], arguments: Mapping[str, Any]
) -> AsyncBlockingSentinelPool:
    """The same for asyncio."""
    manager = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        list(sentinel.addresses),
        sentinel_kwargs=_sentinel_arguments(sentinel, tls) | {"retry": AsyncRetry(NoBackoff(), 0)},
    )
    if tls:
        for watcher in manager.sentinels:
            watcher.connection_pool.connection_class = AsyncTlsConnection
    return AsyncBlockingSentinelPool(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        sentinel.service,
        manager,
        connection_class=AsyncTlsMasterConnection if tls else AsyncMasterConnection,
        **_without_address(arguments),
    )


def _sentinel_arguments(sentinel: SentinelSettings, tls: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "socket_timeout": SENTINEL_TIMEOUT_SECONDS,
        "socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS,
        "credential_provider": sentinel.credentials,
        "driver_info": None,
        "ssl": bool(tls),
        **tls,
    }


def _without_address(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in ("host", "port")}


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_SENTINEL_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationInvalid(
            f"REDIS_SENTINEL_HOSTS has {text!r}, which is not host:port",
            hint="Separate addresses by commas; an IPv6 address stands in brackets.",
        )
    return host, int(port)
