"""Prefixes that a server accepts for tracking."""

from __future__ import annotations

from src.utils.redis_read_cache import literal_prefixes
from src.utils.redis_settings import load_redis_settings


def test_prefixes_are_where_patterns_begin_and_do_not_overlap() -> None:
    assert literal_prefixes(["fact:*", "fact:open:*", "entity_mappings", "a?c"]) == [
        "a",
        "entity_mappings",
        "fact:",
    ]
    knowledge = load_redis_settings(environment={}).entry("knowledge")
    assert literal_prefixes(knowledge.key_patterns) == sorted(
        ["fact:", "fact_id_counter", "atomic_fact:", "facts_by_", "entity_mappings", "kb:", "doc:"]
    )


def test_a_pattern_that_begins_with_a_wildcard_covers_everything() -> None:
    assert literal_prefixes(["*:stats", "autobot:*"]) == [""]
