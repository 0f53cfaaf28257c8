"""Token counts agree with the libraries that define the vocabularies."""

from __future__ import annotations

import pytest
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from src.agents.tokens import TokenCounter

TEXTS = [
    "Hello wörld, how many tokens?",
    "",
    "  leading and trailing  \n\n\tblanks\r\n",
    "日本語のテキスト 🎉 and emoji 👩‍👩‍👧",
    "[INST] not a control token [/INST] </s>",
    "def f(x):\n    return x ** 2  # 3.14159\n",
    "a" * 500,
]


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return TokenCounter()


@pytest.mark.parametrize("text", TEXTS)
def test_tekken_agrees_with_mistrals_own_tokenizer(counter: TokenCounter, text: str) -> None:
    from importlib.resources import files

    own = Tekkenizer.from_file(str(files("mistral_common").joinpath("data", "tekken_240911.json")))
    assert counter.encode(text) == own.encode(text, bos=False, eos=False)


def test_a_word_of_the_small_vocabulary_is_one_token(counter: TokenCounter) -> None:
    assert counter.count("hello world", "minilm") == 2
    assert counter.count("", "minilm") == 0


def test_a_long_text_is_counted_whole(counter: TokenCounter) -> None:
    assert counter.count("word " * 2000, "minilm") == 2000


def test_an_unknown_encoding_is_refused(counter: TokenCounter) -> None:
    with pytest.raises(KeyError):
        counter.count("x", "gpt")
