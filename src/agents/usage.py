"""The last requests of an agent, in the `metrics` database: who looks there need not ask the agent.

`autobot:sandbox:metrics:<agent>:requests` is a list of JSON, oldest first, one for each request:
time (Unix seconds), method, route, status, milliseconds. It is written through a batched writer: a
request waits for nothing, and what an unreachable Redis has no room for is dropped.
"""

from __future__ import annotations

import json
import time

from src.agents.agent import AgentContext

DATABASE = "metrics"
RECORDS_KEPT = 1000
# The list is cut every so many records and may grow by as many meanwhile.
CUT_EVERY = 100


class UsageRecorder:
    """Called once for each answered request."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._key = f"autobot:sandbox:metrics:{context.settings.name}:requests"
        self._until_cut = 0

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request, if this agent may write metrics."""
        if self._context.catalog.granted_databases.get(DATABASE) not in ("write", "read-write"):
            return
        writer = self._context.databases.get_batched_writer(DATABASE)
        line = {
            "time": round(time.time(), 3),
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
        }
        writer.offer("RPUSH", self._key, json.dumps(line))
        if self._until_cut == 0:
            self._until_cut = CUT_EVERY
            writer.offer("LTRIM", self._key, -RECORDS_KEPT, -1)
            ttl = self._context.ttl(DATABASE)
            if ttl is not None:
                writer.offer("EXPIRE", self._key, ttl)
        self._until_cut -= 1
