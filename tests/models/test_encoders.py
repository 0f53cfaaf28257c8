"""Both ways to run the embedding model give the same vectors, and the converted model survives damage."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from src.agents.embeddings import SentenceEncoder
from src.agents.openvino_encoder import OpenVinoEncoder
from src.agents.packaged_model import DIMENSIONS

TEXTS = ["The moon pulls the oceans.", "def add(a, b): return a + b", "x", "word " * 600]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def openvino_encoder(folder: Path) -> OpenVinoEncoder:
    return OpenVinoEncoder(folder)


def test_openvino_and_torch_agree(openvino_encoder: OpenVinoEncoder) -> None:
    ours, theirs = openvino_encoder.encode(TEXTS), SentenceEncoder().encode(TEXTS)
    assert ours.shape == (len(TEXTS), DIMENSIONS)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-4)
    assert ((ours * theirs).sum(axis=1) > 0.999).all()


def test_vectors_come_back_in_the_order_of_the_texts(openvino_encoder: OpenVinoEncoder) -> None:
    texts = [f"sentence {number} " + "and more " * (number % 7) for number in range(40)]
    together = openvino_encoder.encode(texts)
    alone = np.concatenate([openvino_encoder.encode([text]) for text in texts])
    assert ((together * alone).sum(axis=1) > 0.999).all()


def test_no_text_gives_no_vector(openvino_encoder: OpenVinoEncoder) -> None:
    assert openvino_encoder.encode([]).shape == (0, DIMENSIONS)


def test_the_vendor_is_told_nothing(openvino_encoder: OpenVinoEncoder) -> None:
    assert sys.modules["openvino_telemetry"] is None


def test_a_damaged_model_is_converted_again(openvino_encoder: OpenVinoEncoder, folder: Path) -> None:
    weights = openvino_encoder.model_file.with_suffix(".bin")
    intact = weights.read_bytes()
    weights.write_bytes(intact[:-1] + bytes([intact[-1] ^ 1]))
    again = OpenVinoEncoder(folder)
    assert again.model_file.with_suffix(".bin").read_bytes() == intact


def test_an_intact_model_is_used_as_it_is(openvino_encoder: OpenVinoEncoder, folder: Path) -> None:
    before = openvino_encoder.model_file.stat()
    OpenVinoEncoder(folder)
    assert openvino_encoder.model_file.stat().st_ino == before.st_ino
