"""What every agent is to the shared server: routes, preparation, probes of its own."""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio
from fastapi import APIRouter

from src.agents.checks import Probe
from src.agents.live_catalog import LiveCatalog
from src.agents.metrics import AgentMetrics
from src.agents.settings import AgentSettings
from src.utils.encrypted_redis import AsyncEncryptedRedis
from src.utils.redis_database_manager import RedisDatabaseManager


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What the server gives to its agent."""

    settings: AgentSettings
    databases: RedisDatabaseManager
    metrics: AgentMetrics
    catalog: LiveCatalog

    def redis(self, database: str, *, decode_responses: bool = True) -> redis.asyncio.Redis:
        """The client of a database for this event loop; ask again each time, it costs microseconds."""
        return self.databases.get_async_connection(database, decode_responses)

    def encrypted(self, database: str) -> AsyncEncryptedRedis:
        """The encrypted view of a database for this event loop; ask again each time."""
        return self.databases.get_async_encrypted_connection(database)

    def ttl(self, database: str) -> int | None:
        """Seconds that a key written now into this database shall live; None is for ever."""
        return self.databases.entry(database).ttl_default


class Agent:
    """Base of the five. `router` exists at once; `load` runs in a thread and may take its time."""

    # What `load` prepares, as the health document names it; empty when there is nothing to load.
    loads: str = ""

    def __init__(self, context: AgentContext) -> None:
        self.context = context

    def router(self) -> APIRouter:
        """The agent's own routes. They are answered with 503 until `load` is done."""
        raise NotImplementedError

    def load(self) -> None:
        """Blocking preparation. Whatever it raises is logged and tried again later."""

    def probes(self) -> dict[str, Probe]:
        """Checks besides Redis, by `component:measurement`; a failed one makes the agent not ready."""
        return {}

    async def tend(self) -> None:
        """Housekeeping, called every few seconds once `load` is done; what it raises is only logged."""

    async def close(self) -> None:
        """Let go of what `load` and the routes opened."""
