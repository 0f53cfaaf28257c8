"""`python -m tests.component.ai_agents.light_models`: an agent as its container runs it, with light models.

torch, OpenVINO, Chroma and the vocabularies are in the agents' images only. Here small deterministic
models stand behind the same interfaces, and everything else is as it is in a container: server, routes,
Redis, files, signals. tests/models has the same agents with their real models.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src.agents import __main__ as agent
from src.agents.embeddings import Vectors
from src.agents.packaged_model import DIMENSIONS
from src.agents.registry import agent_class
from tests.component.ai_agents import light_chroma

WORD = re.compile(r"\w+")


class HashingEncoder:
    """Counts words at places that their hashes name: texts are near to each other that share words.

    It stands for both encoders: SentenceEncoder() and OpenVinoEncoder(folder).
    """

    fingerprint = "counted-words-1"
    runtime_version = "0.0"
    device = "CPU"
    available_devices = ("CPU",)

    def __init__(self, models_folder: Path = Path()) -> None:
        self.model_file = models_folder / "model.xml"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, of length 1."""
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in WORD.findall(text.lower()):
                row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % DIMENSIONS] += 1
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return rows


class WordCounter:
    """`tekken` counts words, `minilm` letters and digits: the two differ, as the vocabularies do."""

    def count(self, text: str, encoding: str) -> int:
        """How many tokens a text has. `KeyError` if the encoding is unknown."""
        words = WORD.findall(text)
        return {"tekken": len(words), "minilm": len("".join(words))}[encoding]


STAND_INS = {
    "SentenceEncoder": HashingEncoder,
    "OpenVinoEncoder": HashingEncoder,
    "TokenCounter": WordCounter,
}


def main() -> int:
    """Put the light models in place, then run the agent that AGENT_NAME names."""
    light_chroma.install()
    module = importlib.import_module(agent_class(os.environ["AGENT_NAME"]).__module__)
    for name in STAND_INS.keys() & vars(module).keys():
        setattr(module, name, STAND_INS[name])
    return agent.main()


if __name__ == "__main__":
    sys.exit(main())
