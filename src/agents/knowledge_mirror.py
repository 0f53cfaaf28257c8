"""Copies of knowledge entries in the `knowledge` database, where other agents read them.

Keys: `fact:<id>` (hash) and `fact_id_counter` (the highest id). PostgreSQL stays the truth; an entry
that couldn't be mirrored is marked there and mirrored later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio
from redis.asyncio.client import Pipeline

from src.agents.knowledge_store import Entry

COUNTER_KEY = "fact_id_counter"


class EntryMirror:
    """Writes facts through `client`, which gives the client of `knowledge`."""

    def __init__(self, client: Callable[[], redis.asyncio.Redis]) -> None:
        self._client = client

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write entries, take out deleted ones, raise the counter: all or nothing.

        Raises redis-py's errors.
        """
        if not entries:
            return
        highest = max(entry.id for entry in entries)

        async def write(pipeline: Pipeline) -> None:
            counter = int(await pipeline.get(COUNTER_KEY) or 0)
            pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py left it untyped
            for entry in entries:
                if entry.deleted:
                    pipeline.delete(fact_key(entry.id))
                else:
                    pipeline.hset(fact_key(entry.id), mapping=_fields(entry))
            # Two writers may finish in either order; the counter only ever rises.
            if highest > counter:
                pipeline.set(COUNTER_KEY, highest)

        await self._client().transaction(write, COUNTER_KEY)


def fact_key(identifier: int) -> str:
    """The key of one fact."""
    return f"fact:{identifier}"


def _fields(entry: Entry) -> dict[Any, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "content": entry.content,
        "tags": json.dumps(entry.tags),
        "source": entry.source,
        "created": entry.created.isoformat(),
    }
