r"""Redis key patterns: which keys they match, and whether two of them can match the same key.

Pure. The pattern language is Redis' own (`util.c`, stringmatchlen): `*`, `?`, `[abc]`, `[^a]`,
`[a-z]` and `\` as an escape.
"""

from __future__ import annotations

from functools import cache

WILDCARDS = "*?[\\"
STAR = None
"""In a parsed pattern: any number of any characters."""

CharacterSet = tuple[bool, frozenset[str]]
"""(negated, characters): what one position may be. (True, empty) is any character.

A character is a byte, as Redis has it, written as the character below 256 of that number.
"""

ANY: CharacterSet = (True, frozenset())


def literal_prefix(pattern: str) -> str:
    """What stands before the first wildcard. Among patterns that match a key the longest one wins."""
    for index, character in enumerate(pattern):
        if character in WILDCARDS:
            return pattern[:index]
    return pattern


def patterns_overlap(first: str, second: str) -> bool:
    """Whether some key matches both patterns: decided exactly, by walking both at once."""
    left, right = parse_pattern(first), parse_pattern(second)

    @cache
    def meet(i: int, j: int) -> bool:
        if i == len(left) and j == len(right):
            return True
        if i < len(left) and left[i] is STAR:
            return meet(i + 1, j) or (j < len(right) and meet(i, j + 1))
        if j < len(right) and right[j] is STAR:
            return meet(i, j + 1) or (i < len(left) and meet(i + 1, j))
        if i == len(left) or j == len(right):
            return False
        one, other = left[i], right[j]
        return one is not None and other is not None and _share(one, other) and meet(i + 1, j + 1)

    return meet(0, 0)


def _share(one: CharacterSet, other: CharacterSet) -> bool:
    """Whether two positions can be the same character."""
    (one_negated, one_set), (other_negated, other_set) = one, other
    if one_negated and other_negated:
        return True
    if one_negated:
        return bool(other_set - one_set)
    if other_negated:
        return bool(one_set - other_set)
    return bool(one_set & other_set)


def parse_pattern(text: str) -> list[CharacterSet | None]:
    """What each position of a key may be, STAR where any number of characters may stand."""
    pattern = text.encode().decode("latin-1")
    parsed: list[CharacterSet | None] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if character == "*":
            if not parsed or parsed[-1] is not STAR:
                parsed.append(STAR)
        elif character == "?":
            parsed.append(ANY)
        elif character == "[":
            characters, index = _parse_class(pattern, index + 1)
            parsed.append(characters)
        else:
            if character == "\\" and index + 1 < len(pattern):
                index += 1
            parsed.append((False, frozenset(pattern[index])))
        index += 1
    return parsed


def _parse_class(pattern: str, index: int) -> tuple[CharacterSet, int]:
    """The characters of `[…]` and the index of its end; an unclosed one reaches to the end, as in Redis."""
    negated = pattern[index : index + 1] == "^"
    index += negated
    characters: set[str] = set()
    while index < len(pattern) and pattern[index] != "]":
        if pattern[index] == "\\" and index + 1 < len(pattern):
            index += 1
        elif index + 2 < len(pattern) and pattern[index + 1] == "-":
            low, high = sorted((ord(pattern[index]), ord(pattern[index + 2])))
            characters.update(map(chr, range(low, high + 1)))
            index += 3
            continue
        characters.add(pattern[index])
        index += 1
    return (negated, frozenset(characters)), index
