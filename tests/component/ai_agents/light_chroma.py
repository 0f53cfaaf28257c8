"""The few calls of Chroma that the passage store makes, on one JSON file and with an exact search."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

MOST_AT_ONCE = 4
"""Of a call; so small that a document of some pages needs several."""

Where = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the client is configured with."""

    anonymized_telemetry: bool


class Collection:
    """Rows by id: embedding, document, metadata. Every change is on disk when its call ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def count(self) -> int:
        """How many rows."""
        return len(self._rows)

    def upsert(
        self, ids: Sequence[str], embeddings: Any, documents: Sequence[str], metadatas: Sequence[Where]
    ) -> None:
        """Write rows, in place of those with the same id. ValueError for too many or for none."""
        if not 0 < len(ids) <= MOST_AT_ONCE:
            raise ValueError(f"{len(ids)} rows at once")
        columns = zip(ids, np.asarray(embeddings).tolist(), documents, metadatas, strict=True)
        self._rows |= {
            identifier: {"embedding": embedding, "document": document, "metadata": dict(metadata)}
            for identifier, embedding, document, metadata in columns
        }
        self._file.write_text(json.dumps(self._rows))

    def delete(self, ids: Sequence[str]) -> None:
        """Take rows out."""
        for identifier in ids:
            del self._rows[identifier]
        self._file.write_text(json.dumps(self._rows))

    def get(self, where: Where, include: Sequence[str]) -> dict[str, list[Any]]:
        """Rows whose metadata fit."""
        assert include == ["documents"]
        found = self._fitting(where)
        return {"ids": found, "documents": [self._rows[each]["document"] for each in found]}

    def query(
        self, query_embeddings: Any, n_results: int, where: Where | None, include: Sequence[str]
    ) -> dict[str, list[list[Any]]]:
        """The rows that are nearest to one vector, by cosine distance."""
        assert include == ["documents", "metadatas", "distances"]
        (vector,) = query_embeddings
        rows = [self._rows[each] for each in self._fitting(where)]
        distances = [1 - float(np.dot(row["embedding"], vector)) for row in rows]
        nearest = sorted(range(len(rows)), key=distances.__getitem__)[:n_results]
        return {
            "documents": [[rows[place]["document"] for place in nearest]],
            "metadatas": [[rows[place]["metadata"] for place in nearest]],
            "distances": [[distances[place] for place in nearest]],
        }

    def _fitting(self, where: Where | None) -> list[str]:
        return [each for each, row in self._rows.items() if _fits(row["metadata"], where)]


def _fits(metadata: Where, where: Where | None) -> bool:
    """`{"name": {"$eq": value}}`, or several of them under `$and`."""
    if where is None:
        return True
    ((name, condition),) = where.items()
    if name == "$and":
        return all(_fits(metadata, each) for each in condition)
    return bool(metadata.get(name) == condition["$eq"])


class PersistentClient:
    """Collections in a folder."""

    def __init__(self, path: str, settings: Settings) -> None:
        assert not settings.anonymized_telemetry
        self._folder = Path(path)

    def get_max_batch_size(self) -> int:
        """Rows that one call may write."""
        return MOST_AT_ONCE

    def get_or_create_collection(
        self, name: str, embedding_function: None, configuration: Where
    ) -> Collection:
        """The collection of this name."""
        assert embedding_function is None
        assert configuration == {"hnsw": {"space": "cosine"}}
        return Collection(self._folder / f"{name}.json")


def install() -> None:
    """Have `import chromadb` find this."""
    package, config = ModuleType("chromadb"), ModuleType("chromadb.config")
    vars(package)["PersistentClient"], vars(config)["Settings"] = PersistentClient, Settings
    sys.modules |= {"chromadb": package, "chromadb.config": config}
