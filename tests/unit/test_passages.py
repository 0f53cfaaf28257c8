"""Laws of splitting a text into passages."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.agents.passages import split_into_passages

TEXTS = st.text(alphabet="ab .!?\n\t\"')…é", max_size=400)


def words(text: str) -> list[str]:
    return text.split()


@given(TEXTS, st.integers(min_value=1, max_value=12), st.data())
def test_passages_hold_every_word_within_the_limit(text: str, most: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(min_value=0, max_value=most - 1))
    passages = split_into_passages(text, most, overlap)
    covered = [False] * len(text)
    for passage in passages:
        assert passage.text == text[passage.start : passage.end]
        assert 1 <= len(words(passage.text)) <= most
        assert passage.text == passage.text.strip()
        covered[passage.start : passage.end] = [True] * (passage.end - passage.start)
    assert all(covered[match.start()] for match in re.finditer(r"\S", text))


@given(TEXTS, st.integers(min_value=1, max_value=12))
def test_without_overlap_no_word_comes_twice_and_order_is_kept(text: str, most: int) -> None:
    passages = split_into_passages(text, most, 0)
    assert [word for passage in passages for word in words(passage.text)] == words(text)


@given(TEXTS, st.integers(min_value=2, max_value=12), st.integers(min_value=0, max_value=5))
def test_passages_advance_and_repeat_no_more_than_the_overlap(text: str, most: int, overlap: int) -> None:
    passages = split_into_passages(text, most, min(overlap, most - 1))
    for former, latter in itertools.pairwise(passages):
        assert former.start < latter.start
        assert former.end < latter.end
        assert len(words(text[latter.start : former.end])) <= overlap


def test_cuts_between_sentences_and_repeats_whole_ones() -> None:
    text = "One two three. Four five. Six seven eight. Nine ten."
    assert [passage.text for passage in split_into_passages(text, 7, 3)] == [
        "One two three. Four five.",
        "Four five. Six seven eight. Nine ten.",
    ]


def test_an_abbreviation_without_a_blank_is_no_end_of_a_sentence() -> None:
    assert len(split_into_passages("Version 2.5 is out. It runs.", 4, 0)) == 2


def test_a_blank_text_has_no_passage() -> None:
    assert split_into_passages(" \n\t ") == []


def test_refuses_an_overlap_that_would_never_advance() -> None:
    with pytest.raises(ValueError, match="overlap"):
        split_into_passages("a", 3, 3)
