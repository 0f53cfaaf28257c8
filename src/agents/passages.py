"""A text into overlapping passages of a size that an embedding model takes in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# all-MiniLM-L6-v2 reads 256 tokens and ignores the rest; English has about 1.3 tokens a word, other
# languages more.
PASSAGE_WORDS = 120
OVERLAP_WORDS = 24

# A sentence ends after its mark (and a closing quote or bracket) before a blank, or at an empty line.
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n\s*\n")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Passage:
    """`text[start:end]` of the document, without blanks at its ends."""

    start: int
    end: int
    text: str


def split_into_passages(
    text: str, passage_words: int = PASSAGE_WORDS, overlap_words: int = OVERLAP_WORDS
) -> list[Passage]:
    """Passages of at most `passage_words` words, cut between sentences where that is possible.

    Together they hold every word of the text, in order. Each one begins with whole sentences of the
    one before, at most `overlap_words` words of them, so that a thought across a cut stays in one.
    """
    if not 0 <= overlap_words < passage_words:
        raise ValueError(f"the overlap of {overlap_words} words must be smaller than {passage_words}")
    sentences = [
        piece for start, end in _sentences(text) for piece in _pieces(text, start, end, passage_words)
    ]
    passages: list[Passage] = []
    first = 0
    while first < len(sentences):
        last, words = first, 0
        while last < len(sentences) and words + sentences[last][2] <= passage_words:
            words += sentences[last][2]
            last += 1
        start, end = sentences[first][0], sentences[last - 1][1]
        passages.append(Passage(start, end, text[start:end]))
        if last == len(sentences):
            break
        first = last - _overlap(
            sentences[first + 1 : last], overlap_words, passage_words - sentences[last][2]
        )
    return passages


def _overlap(sentences: list[tuple[int, int, int]], overlap_words: int, room: int) -> int:
    """How many of the last sentences are repeated: as many as fit beside the next new one."""
    count, words = 0, 0
    for _, _, length in reversed(sentences):
        words += length
        if words > min(overlap_words, room):
            break
        count += 1
    return count


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        end = mark.start() + len(mark.group().rstrip())
        yield start, end
        start = mark.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int, most_words: int) -> Iterator[tuple[int, int, int]]:
    """A sentence as (start, end, words), in several pieces if it is longer than a passage."""
    words = [match.span() for match in _WORD.finditer(text, start, end)]
    for first in range(0, len(words), most_words):
        piece = words[first : first + most_words]
        yield piece[0][0], piece[-1][1], len(piece)
