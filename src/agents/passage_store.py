"""Passages and their vectors in Chroma, in a folder of the data volume. Blocking; call it in threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.agents.embeddings import Vectors
from src.agents.passages import Passage

COLLECTION = "passages"
# Members of a passage's metadata that are ours; a document's own may not use these names.
DOCUMENT, POSITION, START, END = "document_id", "position", "start", "end"
RESERVED_NAMES = frozenset({DOCUMENT, POSITION, START, END})

Metadata = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with its cosine similarity to the question: 1 is the same direction, 0 unrelated."""

    document_id: str
    position: int
    start: int
    end: int
    text: str
    score: float
    metadata: dict[str, Any]


class PassageStore:
    """One collection with cosine distance. Writers take turns; a document is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the store; imports Chroma, which takes a second or two."""
        import chromadb
        from chromadb.config import Settings

        folder.mkdir(parents=True, exist_ok=True)
        self._writing = threading.Lock()
        self._client: Any = chromadb.PersistentClient(
            path=str(folder), settings=Settings(anonymized_telemetry=False)
        )
        # Without an embedding function of its own: Chroma's default one would fetch a model.
        self._passages: Any = self._client.get_or_create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    def count(self) -> int:
        """Passages in the store."""
        return int(self._passages.count())

    def put(
        self, document_id: str, passages: Sequence[Passage], vectors: Vectors, metadata: Metadata
    ) -> list[str]:
        """Store a document's passages in place of its former ones; texts of those that are gone.

        The new ones are written before the old surplus is deleted: a crash between leaves too much of
        the document, never too little.
        """
        with self._writing:
            former = self._texts(document_id)
            identifiers = [f"{document_id}#{position}" for position in range(len(passages))]
            batch = int(self._client.get_max_batch_size())
            for first in range(0, len(passages), batch):
                places = range(first, min(first + batch, len(passages)))
                self._passages.upsert(
                    ids=[identifiers[place] for place in places],
                    embeddings=vectors[first : first + batch],
                    documents=[passages[place].text for place in places],
                    metadatas=[
                        dict(metadata)
                        | {
                            DOCUMENT: document_id,
                            POSITION: place,
                            START: passages[place].start,
                            END: passages[place].end,
                        }
                        for place in places
                    ],
                )
            if surplus := sorted(set(former) - set(identifiers)):
                self._passages.delete(ids=surplus)
        kept = {passage.text for passage in passages}
        return [text for text in former.values() if text not in kept]

    def delete(self, document_id: str) -> list[str]:
        """Delete a document; the texts of its passages, none if there was no such document."""
        with self._writing:
            former = self._texts(document_id)
            if former:
                self._passages.delete(ids=sorted(former))
        return list(former.values())

    def find(self, vector: Vectors, limit: int, where: Metadata | None) -> list[FoundPassage]:
        """The nearest passages, the best first; `where` keeps those whose metadata has these values."""
        available = self.count()
        if not available:
            return []
        conditions = [{name: {"$eq": value}} for name, value in (where or {}).items()]
        found = self._passages.query(
            query_embeddings=vector.reshape(1, -1),
            n_results=min(limit, available),
            where=None if not conditions else conditions[0] if len(conditions) == 1 else {"$and": conditions},
            include=["documents", "metadatas", "distances"],
        )
        rows = zip(found["documents"][0], found["metadatas"][0], found["distances"][0], strict=True)
        return [
            FoundPassage(
                document_id=str(metadata[DOCUMENT]),
                position=int(metadata[POSITION]),
                start=int(metadata[START]),
                end=int(metadata[END]),
                text=text,
                score=round(1.0 - float(distance), 4),
                metadata={name: value for name, value in metadata.items() if name not in RESERVED_NAMES},
            )
            for text, metadata, distance in rows
        ]

    def _texts(self, document_id: str) -> dict[str, str]:
        found = self._passages.get(where={DOCUMENT: {"$eq": document_id}}, include=["documents"])
        return dict(zip(found["ids"], found["documents"], strict=True))
