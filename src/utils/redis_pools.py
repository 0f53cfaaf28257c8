"""Clients over bounded connection pools, one pool for one database. Making one opens no connection."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from src.utils.redis_bounded_pool import BoundedPool
from src.utils.redis_cluster_refusal import greet, greet_async
from src.utils.redis_sentinel import async_sentinel_pool, sentinel_pool
from src.utils.redis_settings import DatabaseEntry, RedisSettings
from src.utils.redis_tls import AsyncTlsConnection, TlsConnection
from src.utils.redis_tuning import tuning_for

CONNECT_TIMEOUT_SECONDS = 2.0
# A caller waits this long for a free connection of a full pool before it gets a ConnectionError.
POOL_WAIT_SECONDS = 5.0
# Three tries after the first, 20 ms doubling up to 500 ms, each multiplied by chance so that five
# agents that lost one Redis don't come back in step. A reply lost on its way is asked for again: an
# increment may then count twice, which is what at-least-once means.
RETRIES = 3
BACKOFF_BASE_SECONDS = 0.02
BACKOFF_CAP_SECONDS = 0.5

# A peer that vanished without a word is noticed after 30 + 3 * 5 seconds.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


def make_client(
    settings: RedisSettings, entry: DatabaseEntry, decode_responses: bool, options: Mapping[str, Any]
) -> redis.Redis:
    """A client for threads. redis-py's pool notices a fork by process id and starts empty there."""
    arguments = connection_arguments(settings, entry, decode_responses)
    arguments |= {"retry": Retry(_backoff(), RETRIES), "redis_connect_func": greet}
    arguments |= options
    if settings.sentinel is not None:
        return redis.Redis(connection_pool=sentinel_pool(settings.sentinel, _tls(settings), arguments))
    pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        connection_class=TlsConnection if settings.tls else redis.Connection,
        **arguments,
    )
    return redis.Redis(connection_pool=pool)


def make_async_client(
    settings: RedisSettings, entry: DatabaseEntry, decode_responses: bool, options: Mapping[str, Any]
) -> redis.asyncio.Redis:
    """A client for one event loop; its connections can't be used from another one."""
    arguments = connection_arguments(settings, entry, decode_responses)
    arguments |= {"retry": AsyncRetry(_backoff(), RETRIES), "redis_connect_func": greet_async}
    arguments |= options
    if settings.sentinel is not None:
        return redis.asyncio.Redis(
            connection_pool=async_sentinel_pool(settings.sentinel, _tls(settings), arguments)
        )
    pool = BoundedPool(
        connection_class=AsyncTlsConnection if settings.tls else redis.asyncio.Connection,
        **arguments,
    )
    return redis.asyncio.Redis(connection_pool=pool)


def connection_arguments(
    settings: RedisSettings, entry: DatabaseEntry, decode_responses: bool
) -> dict[str, Any]:
    """What both kinds of pool have in common, as redis-py's keyword arguments."""
    tuning = tuning_for(entry.access_patterns)
    arguments: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "db": entry.number,
        "decode_responses": decode_responses,
        "max_connections": settings.max_connections or entry.pool_bound,
        "timeout": POOL_WAIT_SECONDS,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": tuning.reply_timeout,
        "socket_keepalive": True,
        "socket_keepalive_options": _KEEPALIVE,
        "health_check_interval": tuning.health_check_interval,
        "protocol": 3,
        # Redis 7.0 knows no CLIENT SETINFO, and agents' users may not run it on newer servers.
        "driver_info": None,
        # Our servers announce no maintenance; asking for it would cost each connection a round trip.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "client_name": settings.client_name,
    }
    if settings.credentials is not None:
        arguments["credential_provider"] = settings.credentials
    return arguments | _tls(settings)


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(cap=BACKOFF_CAP_SECONDS, base=BACKOFF_BASE_SECONDS)


def _tls(settings: RedisSettings) -> dict[str, Any]:
    tls = settings.tls
    if tls is None:
        return {}
    return {
        "ssl_ca_certs": tls.ca_file,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
        "ssl_check_hostname": tls.check_hostname,
        "ssl_cert_reqs": "required",
    }
