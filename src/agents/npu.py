"""NPU agent: indexes source code and finds it by what it does, with OpenVINO on NPU or CPU."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field, StringConstraints
from redis.exceptions import RedisError

from src.agents.agent import Agent, AgentContext
from src.agents.code_chunks import CodeChunk, split_code
from src.agents.code_index import CodeIndex
from src.agents.openvino_encoder import OpenVinoEncoder
from src.agents.packaged_model import DIMENSIONS, NAME

logger = logging.getLogger(__name__)

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern="^[^\x00-\x1f]+$")]
Source = Annotated[str, StringConstraints(max_length=1_000_000)]
MODEL_KEY = f"autobot:models:{NAME}:openvino"


class IndexRequest(BaseModel):
    """Files by path; each replaces its former version."""

    files: dict[FilePath, Source] = Field(min_length=1, max_length=200)


class IndexAnswer(BaseModel):
    """Chunks per path that was indexed, and paths whose text the index had already."""

    indexed: dict[str, int]
    unchanged: list[str]
    device: str


class SearchRequest(BaseModel):
    """What the code should do, in words or in code."""

    query: str = Field(min_length=1, max_length=4000)
    top: int = Field(default=5, ge=1, le=50)
    path_prefix: str = Field(default="", max_length=500)


class ChunkAnswer(BaseModel):
    """A piece of code, its lines counted from 1, and its cosine similarity to the query."""

    path: str
    kind: str
    name: str
    first_line: int
    last_line: int
    text: str
    score: float


class SearchAnswer(BaseModel):
    """The nearest pieces of code, the best first, and the device that computed it."""

    query: str
    device: str
    chunks: list[ChunkAnswer]


class DeviceAnswer(BaseModel):
    """What computes here."""

    device: str
    available: list[str]
    openvino: str
    model: str
    fingerprint: str


class NpuAgent(Agent):
    """Routes under /npu. `load` converts the model at the first start, and compiles it at each."""

    loads = "embedding-model"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._loaded: tuple[OpenVinoEncoder, CodeIndex] | None = None
        self._registered = False

    def load(self) -> None:
        """Convert if needed, compile, and run once."""
        encoder = OpenVinoEncoder(self.context.settings.data_dir / "models")
        encoder.encode(["warm"])
        index = CodeIndex(lambda: self.context.redis("vectors", decode_responses=False), encoder.fingerprint)
        self._loaded = (encoder, index)

    async def tend(self) -> None:
        """Write what runs here into the `models` database, once; tried again while Redis is away."""
        if self._registered:
            return
        encoder, _ = self._parts()
        row: dict[Any, Any] = {
            "name": NAME,
            "fingerprint": encoder.fingerprint,
            "format": "openvino",
            "version": encoder.runtime_version,
            "device": encoder.device,
            "dimensions": DIMENSIONS,
            "file": str(encoder.model_file),
        }
        try:
            await self.context.redis("models").hset(MODEL_KEY, mapping=row)
        except RedisError as error:
            self.context.metrics.count_redis_error(error)
            raise
        self._registered = True

    def _parts(self) -> tuple[OpenVinoEncoder, CodeIndex]:
        if self._loaded is None:
            raise RuntimeError("the embedding model isn't loaded")
        return self._loaded

    async def index(self, request: IndexRequest) -> IndexAnswer:
        """Cut, embed and store every file that has changed."""
        encoder, index = self._parts()
        unchanged = await index.unchanged(request.files)
        indexed: dict[str, int] = {}
        for path, source in request.files.items():
            if path in unchanged:
                continue
            chunks = await asyncio.to_thread(split_code, path, source)
            texts = [_embedded_text(path, chunk) for chunk in chunks]
            vectors = await asyncio.to_thread(encoder.encode, texts)
            await index.put(path, source, chunks, vectors)
            indexed[path] = len(chunks)
        return IndexAnswer(indexed=indexed, unchanged=sorted(unchanged), device=encoder.device)

    async def search(self, request: SearchRequest) -> SearchAnswer:
        """Embed the query and compare it with every chunk."""
        encoder, index = self._parts()
        vectors = await asyncio.to_thread(encoder.encode, [request.query])
        found = await index.find(vectors[0], request.top, request.path_prefix)
        return SearchAnswer(
            query=request.query,
            device=encoder.device,
            chunks=[ChunkAnswer.model_validate(chunk, from_attributes=True) for chunk in found],
        )

    def router(self) -> APIRouter:
        """Index, search and device."""
        router = APIRouter(prefix="/npu", tags=["npu"])

        @router.post("/index")
        async def index_files(request: IndexRequest) -> IndexAnswer:
            """Index files; those whose text hasn't changed are skipped."""
            return await self.index(request)

        @router.get("/files")
        async def list_files() -> dict[str, int]:
            """Indexed paths and how many chunks each has."""
            _, index = self._parts()
            return await index.files()

        @router.delete("/files/{path:path}", status_code=204)
        async def delete_file(path: Annotated[FilePath, Path()]) -> None:
            """Take a file out of the index."""
            _, index = self._parts()
            if not await index.delete(path):
                raise HTTPException(404, f"'{path}' isn't in the index")

        @router.post("/search")
        async def search(request: SearchRequest) -> SearchAnswer:
            """Code that does what the query says."""
            return await self.search(request)

        @router.get("/device")
        async def device() -> DeviceAnswer:
            """The device that computes, and the model it runs."""
            encoder, _ = self._parts()
            return DeviceAnswer(
                device=encoder.device,
                available=list(encoder.available_devices),
                openvino=encoder.runtime_version,
                model=NAME,
                fingerprint=encoder.fingerprint,
            )

        return router


def _embedded_text(path: str, chunk: CodeChunk) -> str:
    """What the model reads: the names say in words what the code says in symbols."""
    words = chunk.name.replace(".", " ").replace("_", " ")
    return f"{path} {words}\n{chunk.text}"
