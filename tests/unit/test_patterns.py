"""Key patterns: overlap is decided exactly."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.catalog.patterns import STAR, literal_prefix, parse_pattern, patterns_overlap
from autobot_ops.catalog.routing import compile_pattern


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("session:*", "session:*", True),
        ("session:*", "session:admin:*", True),
        ("fact:*", "facts_by_*", False),
        ("fact:*", "atomic_fact:*", False),
        ("a*z", "*b", False),
        ("a*z", "*bz", True),
        ("?at", "[bc]at", True),
        ("[^b]at", "bat", False),
        ("[a-c]", "[d-f]", False),
        ("[a-c]", "[c-f]", True),
        (r"a\*", "ab", False),
        (r"a\*", "a*", True),
        ("*", "", True),
        ("ping", "p*g", True),
        ("?", "?", True),
        ("[^a]", "[^b]", True),
    ],
)
def test_overlap_of_known_pairs(one: str, other: str, expected: bool) -> None:
    assert patterns_overlap(one, other) is expected
    assert patterns_overlap(other, one) is expected


def as_regular_expression(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL)


simple_patterns = st.text(alphabet="ab*?", max_size=6)


@given(simple_patterns, simple_patterns, st.text(alphabet="ab", max_size=6))
def test_patterns_that_match_one_key_overlap(one: str, other: str, key: str) -> None:
    both = as_regular_expression(one).fullmatch(key) and as_regular_expression(other).fullmatch(key)
    if both:
        assert patterns_overlap(one, other)


ALL_SHORT_KEYS = ["".join(letters) for size in range(9) for letters in itertools.product("ab", repeat=size)]
short_patterns = st.text(alphabet="ab*?", max_size=4)


@given(short_patterns, short_patterns)
def test_patterns_without_a_common_key_do_not_overlap(one: str, other: str) -> None:
    """An overlap of two patterns shows in a key that is no longer than both together."""
    if patterns_overlap(one, other):
        first, second = as_regular_expression(one), as_regular_expression(other)
        assert any(first.fullmatch(key) and second.fullmatch(key) for key in ALL_SHORT_KEYS)


class_patterns = st.text(alphabet="ab[]^-\\*?", max_size=7)


@given(class_patterns, st.text(alphabet="ab[]^-\\*?", max_size=3))
def test_a_pattern_overlaps_with_the_keys_that_it_matches(pattern: str, key: str) -> None:
    alone = "".join(f"\\{character}" for character in key)
    assert patterns_overlap(pattern, alone) is bool(compile_pattern(pattern).fullmatch(key.encode()))


@pytest.mark.parametrize(
    ("pattern", "characters"),
    [
        ("[abc]", "abc"), ("[a-c]", "abc"), ("[c-a]", "abc"), ("[a-cx]", "abcx"), ("[xa-c]", "xabc"),
        ("[a-", "a-"), ("[a-]", "]^_`a"), (r"[\]a]", "]a"), (r"[\--a]", "-a"), ("[a\\", "a\\"), ("[]", ""),
        ("[a-c-e]", "abc-e"), ("[ab", "ab"), (r"[\a", "a"),
    ],
)  # fmt: skip
def test_a_class_has_the_characters_that_redis_gives_it(pattern: str, characters: str) -> None:
    assert parse_pattern(pattern) == [(False, frozenset(characters))]
    if len(pattern) > 2:
        assert parse_pattern(pattern.replace("[", "[^", 1)) == [(True, frozenset(characters))]


def test_what_follows_a_class_is_read_on() -> None:
    assert parse_pattern("[a-c]d") == [(False, frozenset("abc")), (False, frozenset("d"))]
    assert parse_pattern("x[^a]*") == [(False, frozenset("x")), (True, frozenset("a")), STAR]
    assert parse_pattern("ä") == [(False, frozenset("Ã")), (False, frozenset("¤"))]


@pytest.mark.parametrize(
    ("pattern", "prefix"), [("fact:*", "fact:"), ("*:stats", ""), ("ping", "ping"), ("a[b]c", "a")]
)
def test_literal_prefix_ends_at_the_first_wildcard(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix
