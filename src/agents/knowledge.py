"""Knowledge agent: stores entries in PostgreSQL, finds them with Whoosh, mirrors them in Redis.

PostgreSQL is written first and decides. The index follows in the same request; Redis follows too,
or as soon as it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ParamSpec, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field, StringConstraints
from redis.exceptions import RedisError

from src.agents.agent import Agent, AgentContext
from src.agents.checks import Probe
from src.agents.knowledge_index import EntryIndex
from src.agents.knowledge_mirror import EntryMirror
from src.agents.knowledge_store import Entry, EntryStore, StoreUnreachable
from src.agents.problems import RETRY_AFTER_SECONDS
from src.agents.settings import PostgresSettings

logger = logging.getLogger(__name__)

# Longer than a statement may take and than a caller waits for a connection. A server that is frozen
# answers neither, and its kernel keeps the connection alive for ever.
STORE_SECONDS = 15.0

P = ParamSpec("P")
T = TypeVar("T")

Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern="^[^,]+$")]
# PostgreSQL's text can hold every character but this one.
TextWithoutNul = Annotated[str, StringConstraints(pattern="^[^\x00]*$")]
EntryId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class EntryRequest(BaseModel):
    """A new entry."""

    title: TextWithoutNul = Field(min_length=1, max_length=300)
    content: TextWithoutNul = Field(min_length=1, max_length=1_000_000)
    tags: list[Tag] = Field(default=[], max_length=50)
    source: TextWithoutNul = Field(default="", max_length=2000)


class EntryAnswer(BaseModel):
    """An entry as it is stored; `mirrored` is whether Redis has it as well."""

    id: int
    title: str
    content: str
    tags: list[str]
    source: str
    created: datetime
    mirrored: bool


class HitAnswer(BaseModel):
    """An entry that was found; a higher score is better, what was found stands between asterisks."""

    id: int
    title: str
    tags: list[str]
    score: float
    snippet: str


class SearchAnswer(BaseModel):
    """Entries that match, the best first."""

    query: str
    hits: list[HitAnswer]


class KnowledgeAgent(Agent):
    """Routes under /knowledge. `load` migrates the schema and brings the index up to date."""

    loads = "knowledge-store"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._store = EntryStore(context.settings.postgres or PostgresSettings())
        self._index = EntryIndex(context.settings.data_dir / "whoosh")
        self._mirror = EntryMirror(lambda: context.redis("knowledge"))
        self._mirroring = asyncio.Lock()

    def load(self) -> None:
        """Migrate, then compare the index with the store. Tried again while PostgreSQL is away."""
        self._store.migrate()
        self._index.open()
        self._synchronise()

    def _synchronise(self) -> None:
        added, removed = self._index.synchronise(self._store.identifiers(), self._store.all_entries)
        if added or removed:
            logger.info("search index brought up to date", extra={"added": added, "removed": removed})

    def _prepare_an_empty_server(self) -> None:
        self._store.migrate()
        self._synchronise()

    def probes(self) -> dict[str, Probe]:
        """PostgreSQL, besides Redis."""
        return {"postgres:responseTime": self._store.probe}

    async def close(self) -> None:
        """Close PostgreSQL's connections and the index."""
        await asyncio.to_thread(self._store.close)
        self._index.close()

    async def add(self, request: EntryRequest) -> EntryAnswer:
        """Store, index, mirror. Only a failure to store is the caller's to see."""
        entry = await _in_thread(
            self._store.add, request.title, request.content, request.tags, request.source
        )
        await _in_thread(self._index.add, entry)
        return _answer(entry, mirrored=await self._mirror_what_is_missing())

    async def search(self, query: str, limit: int) -> SearchAnswer:
        """Hits from the index, with titles from the store; what is gone there isn't answered."""
        hits = await _in_thread(self._index.search, query, limit)
        entries = await _in_thread(self._store.get_many, [hit.id for hit in hits])
        return SearchAnswer(
            query=query,
            hits=[
                HitAnswer(
                    id=hit.id,
                    title=entries[hit.id].title,
                    tags=entries[hit.id].tags,
                    score=hit.score,
                    snippet=hit.snippet,
                )
                for hit in hits
                if hit.id in entries
            ],
        )

    async def delete(self, identifier: int) -> bool:
        """Delete everywhere; False if there is no such entry."""
        if not await _in_thread(self._store.delete, identifier):
            return False
        await _in_thread(self._index.remove, identifier)
        await self._mirror_what_is_missing()
        return True

    async def tend(self) -> None:
        """Catch up with the mirror after Redis was away, and with a PostgreSQL that is another, empty one."""
        if not await _in_thread(self._store.has_tables):
            logger.warning("PostgreSQL lacks the tables: they are made, empty")
            await asyncio.to_thread(self._prepare_an_empty_server)
        await self._mirror_what_is_missing()

    async def _mirror_what_is_missing(self) -> bool:
        """Give Redis what it lacks, also from times when it was away; False if it still is."""
        # One at a time: a slower writer could bring back what another one has just taken out.
        async with self._mirroring:
            try:
                while entries := await _in_thread(self._store.not_mirrored):
                    await self._mirror.put(entries)
                    await _in_thread(self._store.mark_mirrored, [entry.id for entry in entries])
            except RedisError as error:
                self.context.metrics.count_redis_error(error)
                logger.warning("entries are stored, but not mirrored in Redis yet: %s", error)
                return False
        return True

    def router(self) -> APIRouter:
        """Entries and search."""
        router = APIRouter(prefix="/knowledge", tags=["knowledge"])

        @router.post("/entries", status_code=201)
        async def add_entry(request: EntryRequest) -> EntryAnswer:
            """Store an entry; it can be found at once."""
            return await self.add(request)

        @router.get("/entries/{identifier}")
        async def get_entry(identifier: EntryId) -> EntryAnswer:
            """One entry."""
            entry = await _in_thread(self._store.get, identifier)
            if entry is None:
                raise HTTPException(404, f"there is no entry {identifier}")
            return _answer(entry, mirrored=entry.mirrored)

        @router.delete("/entries/{identifier}", status_code=204)
        async def delete_entry(identifier: EntryId) -> None:
            """Delete an entry from store, index and mirror."""
            if not await self.delete(identifier):
                raise HTTPException(404, f"there is no entry {identifier}")

        @router.get("/search")
        async def search_entries(
            q: Annotated[str, Query(min_length=1, max_length=1000, description="words or Whoosh's syntax")],
            limit: Annotated[int, Query(ge=1, le=100)] = 10,
        ) -> SearchAnswer:
            """Entries for a query, the best first."""
            return await self.search(q, limit)

        return router


async def _in_thread(function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Run a blocking call; PostgreSQL being away, or silent for STORE_SECONDS, becomes the answer 503.

    A call that was given up may still come true: the caller knows no more than that it wasn't acknowledged.
    """
    try:
        return await asyncio.wait_for(asyncio.to_thread(function, *arguments, **keywords), STORE_SECONDS)
    except (StoreUnreachable, TimeoutError) as error:
        logger.warning("%s", error if str(error) else f"no answer from PostgreSQL within {STORE_SECONDS:g} s")
        headers = {"Retry-After": RETRY_AFTER_SECONDS}
        raise HTTPException(503, "PostgreSQL can't be used at the moment", headers=headers) from error


def _answer(entry: Entry, *, mirrored: bool) -> EntryAnswer:
    return EntryAnswer(
        id=entry.id,
        title=entry.title,
        content=entry.content,
        tags=entry.tags,
        source=entry.source,
        created=entry.created,
        mirrored=mirrored,
    )
