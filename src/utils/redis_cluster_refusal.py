"""Redis Cluster is refused: it has only database 0, and this stack lives by eleven of them.

Noticed twice: REDIS_CLUSTER in the environment, and a server that says in its greeting that it is a
node of a cluster. Without that, `main` (number 0) would work there until the first key of another slot.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import RedisError, ResponseError

from src.errors import ConfigurationInvalid

# Redis-py's connection, for threads or asyncio; much of it is untyped.
Connection = Any

_CLUSTER = ("cluster", b"cluster")
_REASON = "Redis Cluster has only database 0, so databases can't be separated there"
_HINT = (
    "Use one server, or Sentinel for failover: unset REDIS_CLUSTER, set REDIS_HOST or REDIS_SENTINEL_HOSTS."
)


class ClusterUnsupported(ConfigurationInvalid, RedisError):
    """The server is a node of a cluster, or the settings ask for one.

    A `RedisError` too: redis-py closes a connection whose greeting raises one, and doesn't retry.
    """

    def __init__(self, message: str, *, hint: str = _HINT) -> None:
        super().__init__(message, hint=hint)
        # ValueError's own initialiser ends the chain before it gets there.
        RedisError.__init__(self, str(self))


def refuse_cluster_setting(asked_for: bool) -> None:
    """Raise `ClusterUnsupported` if REDIS_CLUSTER asks for a cluster."""
    if asked_for:
        raise ClusterUnsupported(f"REDIS_CLUSTER is set: {_REASON}")


def greet(connection: Connection) -> None:
    """Redis-py's greeting of a new connection, then a question for the server's mode."""
    try:
        connection.on_connect()
    except ResponseError:
        # On a cluster's node the SELECT of the greeting fails; the reason comes first.
        _refuse_cluster_node(connection, _ask(connection))
        raise
    _refuse_cluster_node(connection, _ask(connection))


async def greet_async(connection: Connection) -> None:
    """The same for asyncio."""
    try:
        await connection.on_connect()
    except ResponseError:
        _refuse_cluster_node(connection, await _ask_async(connection))
        raise
    _refuse_cluster_node(connection, await _ask_async(connection))


def _ask(connection: Connection) -> object:
    # HELLO without arguments changes nothing and tells what it told at first, which redis-py's
    # connections for asyncio don't keep.
    connection.send_command("HELLO", check_health=False)
    return connection.read_response()


async def _ask_async(connection: Connection) -> object:
    await connection.send_command("HELLO", check_health=False)
    return await connection.read_response()


def _refuse_cluster_node(connection: Connection, properties: object) -> None:
    if isinstance(properties, dict) and properties.get("mode", properties.get(b"mode")) in _CLUSTER:
        address = f"{connection.host}:{connection.port}"
        raise ClusterUnsupported(f"{address} is in cluster mode: {_REASON}")
