"""all-MiniLM-L6-v2 on OpenVINO: on an NPU where there is one, else on the CPU.

The first start converts the torch model and keeps the result on the data volume, with a checksum;
later starts don't import torch at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.agents.packaged_model import (
    DIMENSIONS,
    LONGEST_TOKENS,
    NAME,
    model_fingerprint,
    model_folder,
    quiet_transformers,
)
from src.agents.resources import read_cpu_limit

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

_BATCH = 16
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_MODEL_FILE, _MANIFEST_FILE = "model.xml", "manifest.json"


class OpenVinoEncoder:
    """The compiled model. Making one takes seconds, and longer at the very first start."""

    def __init__(self, models_folder: Path) -> None:
        from tokenizers import Tokenizer

        openvino = _import_openvino()
        source = model_folder()
        self.fingerprint = model_fingerprint()
        self.runtime_version = str(openvino.get_version())
        folder = models_folder / f"{NAME}-{self.fingerprint}"
        self.model_file = _converted_model(openvino, source, folder)
        core = openvino.Core()
        self.available_devices = tuple(str(device) for device in core.available_devices)
        self.device = choose_device(self.available_devices)
        model = core.read_model(self.model_file)
        # NPU compilers need fixed shapes; a CPU is faster without padding.
        self._static = self.device.startswith("NPU")
        if self._static:
            model.reshape({name: [1, LONGEST_TOKENS] for name in _INPUTS})
        options = {} if self._static else {"INFERENCE_NUM_THREADS": max(1, round(read_cpu_limit()))}
        self._compiled: Any = core.compile_model(model, self.device, options)
        self._inferring = threading.Lock()
        self._tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.enable_padding(length=LONGEST_TOKENS if self._static else None)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, of length 1: the dot product of two is their cosine. Thread-safe."""
        result = np.empty((len(texts), DIMENSIONS), np.float32)
        # Texts of similar length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        size = 1 if self._static else _BATCH
        for first in range(0, len(order), size):
            places = order[first : first + size]
            result[places] = self._infer([texts[place] for place in places])
        return result

    def _infer(self, texts: list[str]) -> Vectors:
        with self._inferring:
            encoded = self._tokenizer.encode_batch(texts)
            inputs = {
                "input_ids": np.array([row.ids for row in encoded], np.int64),
                "attention_mask": np.array([row.attention_mask for row in encoded], np.int64),
                "token_type_ids": np.array([row.type_ids for row in encoded], np.int64),
            }
            # The compiled model reuses the memory of its outputs.
            return np.array(self._compiled(inputs)[0], np.float32, copy=True)


def choose_device(available: Sequence[str]) -> str:
    """The first NPU (`NPU`, `NPU.0`, …), else the CPU."""
    return next((device for device in available if device.split(".")[0] == "NPU"), "CPU")


def _import_openvino() -> Any:
    # Merely importing OpenVINO reports to its vendor if this package is there; without it, it uses a
    # stub of its own. An agent has no business on the network.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def _converted_model(openvino: Any, source: Path, folder: Path) -> Path:
    """The converted model in `folder`; made there if it is missing, damaged or another version's."""
    if _is_intact(folder, openvino.get_version()):
        return folder / _MODEL_FILE
    logger.info("converting the model for OpenVINO", extra={"folder": str(folder)})
    # Written beside and renamed: a crash leaves no folder that looks complete.
    unfinished = folder.with_name(folder.name + ".unfinished")
    for leftover in (unfinished, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    openvino.save_model(_convert(openvino, source), unfinished / _MODEL_FILE, compress_to_fp16=False)
    manifest = {
        "openvino": openvino.get_version(),
        "sha256": {path.name: _sha256(path) for path in sorted(unfinished.iterdir())},
    }
    (unfinished / _MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    unfinished.rename(folder)
    return folder / _MODEL_FILE


def _is_intact(folder: Path, version: str) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST_FILE).read_text(encoding="utf-8"))
        return bool(manifest["openvino"] == version) and all(
            _sha256(folder / name) == digest for name, digest in manifest["sha256"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def _convert(openvino: Any, source: Path) -> Any:
    """The torch model with mean pooling and normalisation, as the sentence model prescribes them."""
    import torch
    from transformers import AutoModel

    quiet_transformers()

    class SentenceModel(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(
                source, local_files_only=True, attn_implementation="eager"
            )

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            states = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2, dim=1)

    example = torch.ones((2, 8), dtype=torch.int64)
    with torch.no_grad():
        return openvino.convert_model(
            SentenceModel().eval(),
            example_input=dict.fromkeys(_INPUTS, example),
            input=[(name, [-1, -1], np.int64) for name in _INPUTS],
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
