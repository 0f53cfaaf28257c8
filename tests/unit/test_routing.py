"""Routing: every key has one database, decided by the longest literal prefix."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.routing import Router, compile_pattern, make_router


@pytest.mark.parametrize(
    ("key", "database_name"),
    [
        (b"fact:1", "knowledge"), (b"fact_id_counter", "knowledge"), (b"facts_by_topic:x", "knowledge"),
        (b"atomic_fact:9", "knowledge"), (b"llama_index/vector_7", "vectors"), (b"session:abc", "sessions"),
        (b"autobot:chat_history", "sessions"), (b"autobot:chat_history:1", "sessions"),
        (b"autobot:workflow:3", "workflows"), (b"fact:stats", "knowledge"), (b"anything:stats", "metrics"),
        (b"cache:x", "main"), (b"ping", None), (b"\xff\xfe", None), (b"fact", None), (b"test:1", "testing"),
    ],
)  # fmt: skip
def test_routes_the_legacy_keys(root: Path, key: bytes, database_name: str | None) -> None:
    assert make_router(load_catalogs(root).databases).route(key) == database_name


def test_an_extra_route_wins_a_tie(root: Path) -> None:
    router = make_router(load_catalogs(root).databases, [("cache:*", "testing")])
    assert router.route(b"cache:x") == "testing"


def test_keys_are_bytes_and_a_newline_is_a_character() -> None:
    assert Router((("a*z", "main"),)).route(b"a\n\x00\xffz") == "main"


@given(st.text(alphabet="ab*?", max_size=6), st.text(alphabet="ab", max_size=6))
def test_agrees_with_another_implementation(pattern: str, key: str) -> None:
    assert bool(compile_pattern(pattern).fullmatch(key.encode())) is fnmatch.fnmatchcase(key, pattern)


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        (r"a\*b", b"a*b", True), (r"a\*b", b"axb", False), ("[a-c]1", b"b1", True), ("[^a-c]1", b"b1", False),
        ("[]", b"a", False), ("x[ab", b"xb", True), (r"[\]]", b"]", True), ("[[]", b"[", True),
        (r"[\d]", b"d", True), (r"[\d]", b"7", False), ("[\\", b"\\", True),
        ("a.b", b"axb", False), ("[a-c]1", b"X1", False),
    ],
)  # fmt: skip
def test_classes_and_escapes(pattern: str, key: bytes, matches: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(key)) is matches
