"""Key patterns mean to us what they mean to Redis: compared with a real server's KEYS, pattern by pattern."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autobot_ops.catalog.patterns import patterns_overlap
from autobot_ops.catalog.routing import compile_pattern
from tests.component.redis_process import RedisProcess

LETTERS = "ab]-^\\[c"
KEYS = [
    *(bytes((each,)) for each in b"abcd]-^\\[*?`Z"), b"ab", b"ba", b"a]", b"]a", b"a-", b"-b", b"a^",
    b"\\a", "ä".encode(), "äb".encode(), b"\xc3", b"a\nb", b"\xff", b"a-b", b"[ab]", b"abc",
]  # fmt: skip
"""Without the empty key, which Redis finds by `*` and not by `**`."""

# ASCII only: what a range with another end means depends on the C compiler that Redis was made with.
patterns = st.text(alphabet=LETTERS + "*?", max_size=7)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A server whose keys are KEYS."""
    server = RedisProcess(tmp_path_factory.mktemp("patterns"))
    server.start()
    password = server.passwords["operator"]
    with redis.Redis(port=server.port, db=15, username="operator", password=password) as client:
        client.mset(dict.fromkeys(KEYS, b"x"))
        yield client
    server.stop()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=patterns)
@example(pattern="[c-a]")
@example(pattern="[a-]")
@example(pattern=r"[\--a]")
@example(pattern="[^]")
@example(pattern="[ä]")
@example(pattern="ä?")
@example(pattern="[a")
@example(pattern="a[")
def test_a_pattern_matches_what_it_matches_in_redis(client: redis.Redis, pattern: str) -> None:
    expected = set(client.keys(pattern))
    compiled = compile_pattern(pattern)
    assert {key for key in KEYS if compiled.fullmatch(key)} == expected
    for key in KEYS:
        if key.isascii():
            assert patterns_overlap(pattern, escaped(key.decode())) is (key in expected)


def escaped(text: str) -> str:
    """A pattern that matches this text alone."""
    return "".join(f"\\{character}" for character in text)
