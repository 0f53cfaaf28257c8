"""What the cache keeps, for how long, and that nobody can change what it keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.utils.read_cache import MISS, ReadCache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


GET = ("GET", "fact:1")
FIELD = ("HGET", "fact:2", "text")


def test_answers_what_it_was_given_and_nothing_else() -> None:
    cache = ReadCache()
    cache.put(GET, "text")
    assert cache.get(GET) == "text"
    assert cache.get(("GET", "fact:3")) is MISS
    assert (cache.statistics.hits, cache.statistics.misses) == (1, 1)


def test_keeps_that_a_key_is_not_there() -> None:
    cache = ReadCache()
    cache.put(GET, None)
    assert cache.get(GET) is None


def test_forgets_every_command_of_a_changed_key_and_no_other() -> None:
    cache = ReadCache()
    for command in (GET, FIELD, ("HGETALL", b"fact:2")):
        cache.put(command, {"text": "a"})
    cache.forget([b"fact:2"])
    assert cache.get(FIELD) is MISS
    assert cache.get(("HGETALL", b"fact:2")) is MISS
    assert cache.get(GET) is not MISS
    cache.forget(None)
    assert len(cache) == cache.bytes == 0


def test_forgets_by_age() -> None:
    clock = Clock()
    cache = ReadCache(max_age=10, clock=clock)
    cache.put(GET, "text")
    clock.now = 10.0
    assert cache.get(GET) == "text"
    clock.now = 10.1
    assert cache.get(GET) is MISS


def test_the_one_least_recently_used_goes_first() -> None:
    cache = ReadCache(max_entries=2)
    cache.put(("GET", "a"), 1)
    cache.put(("GET", "b"), 2)
    cache.get(("GET", "a"))
    cache.put(("GET", "c"), 3)
    assert [cache.get(("GET", key)) for key in "abc"] == [1, MISS, 3]
    assert cache.statistics.evicted == 1


def test_is_bounded_by_bytes_and_refuses_a_giant() -> None:
    cache = ReadCache(max_bytes=100_000)
    for number in range(100):
        cache.put(("GET", f"fact:{number}"), "x" * 5_000)
        assert cache.bytes <= 100_000
    assert cache.get(("GET", "fact:99")) is not MISS
    cache.put(GET, "x" * 50_000)
    assert cache.get(GET) is MISS


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, {"a"}])
def test_what_a_caller_does_to_an_answer_stays_with_the_caller(
    value: list[str] | dict[str, str] | set[str],
) -> None:
    cache = ReadCache()
    cache.put(GET, value)
    value.clear()
    answer = cache.get(GET)
    assert answer
    answer.clear()
    assert cache.get(GET)


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "get", "forget"]), st.integers(0, 5), st.text(max_size=300)),
        max_size=60,
    )
)
def test_never_answers_anything_but_the_last_value_since_the_last_change(
    steps: list[tuple[str, int, str]],
) -> None:
    cache = ReadCache(max_entries=4, max_bytes=8_000)
    true: dict[int, str] = {}
    for step, key, value in steps:
        if step == "put":
            cache.put(("GET", f"fact:{key}"), value)
            true[key] = value
        elif step == "forget":
            cache.forget([f"fact:{key}"])
            true.pop(key, None)
        else:
            answer = cache.get(("GET", f"fact:{key}"))
            assert answer is MISS or answer == true[key]
        assert len(cache) <= 4
        assert 0 <= cache.bytes <= 8_000
