"""`inv demo.seed` on a server that is in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.component.migration.conftest import StartServer
from tests.component.migration.verb import Verbs, url_of
from tests.component.rdb.data_server import DataServer

KNOWLEDGE = 1


@pytest.fixture
def verbs(tmp_path: Path) -> Iterator[Verbs]:
    found = Verbs(tmp_path / "verbs")
    yield found
    found.stop()


@pytest.fixture
def empty(start_server: StartServer) -> DataServer:
    return start_server()


def contents(client: redis.Redis) -> dict[bytes, object]:
    """Every key's value. Of a stream its entries: a dump tells when its groups have read, too."""
    return {
        key: client.xrange(key) if client.type(key) == b"stream" else client.dump(key)
        for key in client.scan_iter()
    }


def test_refuses_where_the_knowledge_agent_has_facts_and_writes_nothing(
    empty: DataServer, verbs: Verbs
) -> None:
    with empty.client(KNOWLEDGE) as client:
        client.hset("fact:7", "title", "Tides")
        client.set("fact_id_counter", 7)
    ended = verbs.run("demo.seed", "--url", url_of(empty), "--keys", "20", "--yes", "--json")
    assert ended.code == 5
    assert "facts are in 'knowledge'" in ended.document["error"]["message"]
    assert "AUTOBOT_PROJECT=demo inv up" in ended.document["error"]["hint"]
    assert empty.command("DBSIZE") == 0


def test_seeds_again_after_what_was_seeded_has_moved(empty: DataServer, verbs: Verbs) -> None:
    seed = ("demo.seed", "--url", url_of(empty), "--keys", "20", "--yes")
    assert verbs.run(*seed).code == 0
    with empty.client() as client:
        client.move("fact_id_counter", KNOWLEDGE)
        client.flushdb()
    ended = verbs.run(*seed, "--json")
    assert ended.code == 0, ended.remarks
    assert ended.document["keys"] == 20


def test_seeds_over_its_own_keys_and_leaves_others_alone(empty: DataServer, verbs: Verbs) -> None:
    seed = ("demo.seed", "--url", url_of(empty), "--keys", "200", "--yes", "--json")
    assert verbs.run(*seed).code == 0
    with empty.client() as client:
        first = contents(client)
        client.rpush("of:mine", "stays")
        ended = verbs.run(*seed)
        assert ended.code == 0, ended.remarks
        assert client.lrange("of:mine", 0, -1) == [b"stays"]
        client.delete("of:mine")
        assert contents(client) == first
