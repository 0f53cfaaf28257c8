"""Which database a key belongs to, and what a report is worth in an `if`."""

from __future__ import annotations

import pytest

from src.utils.redis_inspection import SeparationReport, database_of_key
from src.utils.redis_settings import load_redis_settings
from src.utils.redis_tuning import tuning_for


@pytest.mark.parametrize(
    ("key", "database"),
    [
        ("fact:17", "knowledge"),
        ("fact_id_counter", "knowledge"),
        ("fact_id_counter2", None),
        ("autobot:cache:page", "main"),
        ("autobot:sandbox:metrics:cpu", "metrics"),
        ("autobot:sandbox:security:events:1", "logs"),
        ("llama_index/vector_abc", "vectors"),
        # Claimed by `*:stats` as well; the longer literal prefix wins.
        ("session:9:stats", "sessions"),
        ("anything:stats", "metrics"),
        ("ping", None),
    ],
)
def test_the_longest_literal_prefix_decides_where_a_key_belongs(key: str, database: str | None) -> None:
    assert database_of_key(key, load_redis_settings(environment={}).databases) == database


def test_a_report_that_checked_nothing_is_not_a_pass() -> None:
    assert not SeparationReport()
    assert SeparationReport(checked=["main"])
    assert not SeparationReport(checked=["main"], problems=["main: wrong"])


def test_several_access_patterns_take_the_most_patient_timeout() -> None:
    assert tuning_for(["frequent"]).reply_timeout < tuning_for(["frequent", "long-term"]).reply_timeout
    assert tuning_for(["frequent", "long-term"]).reply_timeout == tuning_for(["long-term"]).reply_timeout


def test_read_heavy_asks_for_a_cache_and_write_heavy_for_batches() -> None:
    assert tuning_for(["read-heavy", "long-term"]).read_cache
    assert tuning_for(["write-heavy"]).batch_delay
    assert not tuning_for(["frequent"]).read_cache
    assert not tuning_for([]).batch_delay
