"""RAG agent: takes documents in and answers a question with the passages that are nearest to it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field, StringConstraints, field_validator

from src.agents.agent import Agent, AgentContext
from src.agents.embeddings import CachedEmbeddings, SentenceEncoder
from src.agents.passage_store import RESERVED_NAMES, PassageStore
from src.agents.passages import split_into_passages

DocumentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,200}$")]
MetadataName = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_.-]{1,64}$")]
MetadataValue = bool | int | float | Annotated[str, StringConstraints(max_length=1000)]
Metadata = Annotated[dict[MetadataName, MetadataValue], Field(max_length=32)]


class DocumentRequest(BaseModel):
    """A document to be stored; one with the same id is replaced."""

    id: DocumentId
    text: str = Field(min_length=1, max_length=1_000_000)
    metadata: Metadata = {}

    @field_validator("metadata")
    @classmethod
    def refuse_reserved_names(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        """Names that the store uses itself would hide a document's own."""
        if taken := sorted(RESERVED_NAMES & metadata.keys()):
            raise ValueError(f"these names are reserved: {', '.join(taken)}")
        return metadata


class DocumentAnswer(BaseModel):
    """How many passages a document was cut into, and how many vectors were in the cache."""

    id: str
    passages: int
    cached: int
    stored: int = Field(description="passages of all documents")


class QueryRequest(BaseModel):
    """A question; `where` keeps passages of documents whose metadata has exactly these values."""

    question: str = Field(min_length=1, max_length=4000)
    top: int = Field(default=5, ge=1, le=50)
    where: Metadata = {}


class PassageAnswer(BaseModel):
    """A passage, its place in the document (characters), and its cosine similarity to the question."""

    document_id: str
    position: int
    start: int
    end: int
    text: str
    score: float
    metadata: dict[str, Any]


class QueryAnswer(BaseModel):
    """The nearest passages, the best first."""

    question: str
    passages: list[PassageAnswer]


class RagAgent(Agent):
    """Routes under /rag. `load` imports torch, reads the model and opens Chroma: several seconds."""

    loads = "embedding-model"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._loaded: tuple[SentenceEncoder, PassageStore, CachedEmbeddings] | None = None

    def load(self) -> None:
        """Model, store and cache; the first sentence through the model makes the next ones fast."""
        encoder = SentenceEncoder()
        encoder.encode(["warm"])
        store = PassageStore(self.context.settings.data_dir / "chroma")
        cache = CachedEmbeddings(
            encoder.encode,
            encoder.fingerprint,
            client=lambda: self.context.redis("vectors", decode_responses=False),
            ttl=lambda: self.context.ttl("vectors"),
        )
        self._loaded = (encoder, store, cache)

    def _parts(self) -> tuple[SentenceEncoder, PassageStore, CachedEmbeddings]:
        if self._loaded is None:
            raise RuntimeError("the embedding model isn't loaded")
        return self._loaded

    async def ingest(self, request: DocumentRequest) -> DocumentAnswer:
        """Cut, embed, store."""
        _, store, cache = self._parts()
        passages = split_into_passages(request.text)
        if not passages:
            raise HTTPException(422, "text: there is no word in it")
        vectors, cached = await cache.vectors([passage.text for passage in passages])
        replaced = await asyncio.to_thread(store.put, request.id, passages, vectors, request.metadata)
        await cache.forget(replaced)
        stored = await asyncio.to_thread(store.count)
        return DocumentAnswer(id=request.id, passages=len(passages), cached=cached, stored=stored)

    async def answer(self, request: QueryRequest) -> QueryAnswer:
        """Passages for a question. Questions aren't cached: nobody would ever take them out again."""
        encoder, store, _ = self._parts()
        vectors = await asyncio.to_thread(encoder.encode, [request.question])
        found = await asyncio.to_thread(store.find, vectors[0], request.top, request.where)
        return QueryAnswer(
            question=request.question,
            passages=[PassageAnswer.model_validate(passage, from_attributes=True) for passage in found],
        )

    def router(self) -> APIRouter:
        """Documents and questions."""
        router = APIRouter(prefix="/rag", tags=["rag"])

        @router.post("/documents", status_code=201)
        async def put_document(request: DocumentRequest) -> DocumentAnswer:
            """Store a document, in place of one with the same id."""
            return await self.ingest(request)

        @router.delete("/documents/{identifier:path}", status_code=204)
        async def delete_document(identifier: Annotated[DocumentId, Path()]) -> None:
            """Delete a document with all its passages."""
            _, store, cache = self._parts()
            texts = await asyncio.to_thread(store.delete, identifier)
            if not texts:
                raise HTTPException(404, f"there is no document '{identifier}'")
            await cache.forget(texts)

        @router.post("/query")
        async def query(request: QueryRequest) -> QueryAnswer:
            """The passages that are nearest to a question."""
            return await self.answer(request)

        return router
