"""The code index in the `vectors` database, and the search over it.

Keys, all `autobot:code:index:<model>:…`: `files` (hash: path → JSON), `chunks` (hash: id → JSON),
`vectors` (hash: id → 384 little-endian floats) and `revision` (a counter). A search computes over a
copy of the vectors in memory, which is read again when the revision has changed: 10,000 chunks are
15 MB and a few milliseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import redis.asyncio
from numpy.typing import NDArray
from redis.asyncio.client import Pipeline

from src.agents.code_chunks import CodeChunk

KEY_PREFIX = "autobot:code:index:"
_STORED_TYPE = "<f4"
_READ_BATCH = 500

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk with its file and its cosine similarity to the query."""

    path: str
    kind: str
    name: str
    first_line: int
    last_line: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class _Snapshot:
    revision: int
    identifiers: list[str]
    matrix: Vectors


class CodeIndex:
    """Files and their chunks. `client` gives `vectors` with raw replies; `model` is the fingerprint."""

    def __init__(self, client: Callable[[], redis.asyncio.Redis], model: str) -> None:
        self._client = client
        prefix = f"{KEY_PREFIX}{model}:"
        self._files, self._chunks = prefix + "files", prefix + "chunks"
        self._vectors, self._revision = prefix + "vectors", prefix + "revision"
        self._snapshot: _Snapshot | None = None
        self._refreshing = asyncio.Lock()

    async def unchanged(self, sources: Mapping[str, str]) -> set[str]:
        """Paths that are in the index with exactly this text."""
        if not sources:
            return set()
        paths = list(sources)
        rows = await self._client().hmget(self._files, paths)
        return {
            path
            for path, row in zip(paths, rows, strict=True)
            if row is not None and json.loads(row)["sha256"] == _digest(sources[path])
        }

    async def put(self, path: str, source: str, chunks: Sequence[CodeChunk], vectors: Vectors) -> None:
        """Store a file in place of its former version, in one transaction."""
        rows = {
            _chunk_id(path, chunk): (chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True)
        }

        async def replace(pipeline: Pipeline) -> None:
            former = await self._former_chunks(pipeline, path)
            pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py left it untyped
            self._drop(pipeline, former)
            for identifier, (chunk, vector) in rows.items():
                content = json.dumps({"path": path} | asdict(chunk))
                pipeline.hset(self._chunks, identifier, content)
                pipeline.hset(self._vectors, identifier, vector.astype(_STORED_TYPE).tobytes())
            entry = {"sha256": _digest(source), "chunks": list(rows)}
            pipeline.hset(self._files, path, json.dumps(entry))
            pipeline.incr(self._revision)

        await self._client().transaction(replace, self._files)

    async def delete(self, path: str) -> bool:
        """Take a file out; False if it isn't in the index."""

        async def drop(pipeline: Pipeline) -> bool:
            known = bool(await pipeline.hexists(self._files, path))
            former = await self._former_chunks(pipeline, path)
            pipeline.multi()  # type: ignore[no-untyped-call]
            self._drop(pipeline, former)
            pipeline.hdel(self._files, path)
            pipeline.incr(self._revision)
            return known

        return bool(await self._client().transaction(drop, self._files, value_from_callable=True))

    async def files(self) -> dict[str, int]:
        """Every path and how many chunks it has."""
        rows: dict[Any, Any] = await self._client().hgetall(self._files)
        return {path.decode(): len(json.loads(rows[path])["chunks"]) for path in sorted(rows)}

    async def find(self, vector: Vectors, limit: int, path_prefix: str) -> list[FoundChunk]:
        """The nearest chunks below a path, the best first."""
        snapshot = await self._current()
        if not snapshot.identifiers:
            return []
        scores = snapshot.matrix @ vector
        order = np.argsort(-scores, kind="stable")
        found: list[FoundChunk] = []
        # Read the best few at a time: most searches have no prefix and end after one round.
        for first in range(0, len(order), limit):
            places = [int(place) for place in order[first : first + limit]]
            rows = await self._client().hmget(self._chunks, [snapshot.identifiers[place] for place in places])
            for place, row in zip(places, rows, strict=True):
                # None: replaced since the copy was made.
                content = json.loads(row) if row is not None else None
                if content is not None and content["path"].startswith(path_prefix):
                    found.append(FoundChunk(**content, score=round(float(scores[place]), 4)))
                    if len(found) == limit:
                        return found
        return found

    async def _current(self) -> _Snapshot:
        async with self._refreshing:
            revision = int(await self._client().get(self._revision) or 0)
            if self._snapshot is None or self._snapshot.revision != revision:
                self._snapshot = await self._read(revision)
            return self._snapshot

    async def _read(self, revision: int) -> _Snapshot:
        # A file that changes meanwhile raises the revision, so the next search reads again.
        found: dict[str, bytes] = {}
        async for identifier, value in self._client().hscan_iter(self._vectors, count=_READ_BATCH):
            found[identifier.decode()] = value
        # An empty index has no width to tell, and numpy can't infer one from nothing.
        shape = (len(found), -1) if found else (0, 0)
        matrix = np.frombuffer(b"".join(found.values()), _STORED_TYPE).reshape(shape)
        return _Snapshot(revision, list(found), matrix.astype(np.float32))

    async def _former_chunks(self, pipeline: Pipeline, path: str) -> list[str]:
        row: Any = await pipeline.hget(self._files, path)
        return [] if row is None else list(json.loads(row)["chunks"])

    def _drop(self, pipeline: Pipeline, identifiers: Sequence[str]) -> None:
        if identifiers:
            pipeline.hdel(self._chunks, *identifiers)
            pipeline.hdel(self._vectors, *identifiers)


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _chunk_id(path: str, chunk: CodeChunk) -> str:
    return hashlib.sha256(f"{path}\0{chunk.first_line}\0{chunk.text}".encode()).hexdigest()[:24]
