"""Keyspaces that Hypothesis makes: moved and taken back, they are what they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.component.migration.migrating import (
    migrate,
    misplaced,
    placed,
    roll_back,
)
from tests.component.rdb.data_server import DataServer

_names = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"", b"fact:*", b"session:[a]", b"kb:\r\n", b"doc:\x00\xff", b"*", b"x:stats", b"ping"]),
    st.builds(bytes.__add__, st.sampled_from([b"fact:", b"session:", b"cache:"]), st.binary(max_size=6)),
)
_texts = st.binary(max_size=60)
_values = st.one_of(
    _texts.map(lambda value: ("SET", value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: ("SET", value)),
    st.lists(_texts, min_size=1, max_size=8).map(lambda values: ("RPUSH", *values)),
    st.lists(st.integers(0, 9), min_size=1, max_size=8).map(lambda values: ("SADD", *values)),
    st.lists(_texts, min_size=1, max_size=300, unique=True).map(lambda values: ("SADD", *values)),
    st.dictionaries(_texts, _texts, min_size=1, max_size=8).map(
        lambda pairs: ("HSET", *(part for pair in pairs.items() for part in pair))
    ),
    st.dictionaries(_texts, st.floats(allow_nan=False), min_size=1, max_size=8).map(
        lambda pairs: ("ZADD", *(part for name, score in pairs.items() for part in (score, name)))
    ),
    st.dictionaries(_texts, _texts, min_size=1, max_size=4).map(
        lambda pairs: ("XADD", "*", *(part for pair in pairs.items() for part in pair))
    ),
)


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = DataServer(tmp_path_factory.mktemp("empty"))
    server.start()
    yield server
    server.stop()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(_names, st.tuples(_values, st.booleans()), max_size=25))
def test_any_keyspace_goes_there_and_back(
    empty_server: DataServer, tmp_path_factory: pytest.TempPathFactory, keys: dict[bytes, tuple[Any, bool]]
) -> None:
    state_dir = tmp_path_factory.mktemp("state")
    empty_server.command("FLUSHALL")
    for name, ((command, *words), expires) in keys.items():
        empty_server.command(command, name, *words)
        if expires:
            empty_server.command("PEXPIREAT", name, 4_000_000_000_000)
    before = placed(empty_server)
    migrate(empty_server, state_dir)
    assert placed(empty_server) == before
    assert misplaced(empty_server) == []
    roll_back(empty_server, state_dir)
    assert placed(empty_server, range(1)) == before
