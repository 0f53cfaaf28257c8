"""The RAG agent over HTTP: documents in passages, their vectors in the cache, questions and filters."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.component.agent_process import AgentProcess
from tests.component.ai_agents.conftest import StartLightAgent
from tests.component.redis_process import RedisProcess, load_catalog

VECTORS = 8
SEA = "The moon pulls the oceans, and so the tides rise twice a day."
KITCHEN = "Yeast makes dough rise. Bake the loaf for forty minutes at high heat."


@pytest.fixture(scope="module")
def rag(start_light: StartLightAgent) -> AgentProcess:
    agent = start_light("rag")
    agent.wait_until_ready()
    assert ask(agent, "anything at all") == []
    return agent


def put(rag: AgentProcess, identifier: str, text: str, **metadata: object) -> dict[str, Any]:
    answer = rag.post("/rag/documents", {"id": identifier, "text": text, "metadata": metadata})
    assert answer.status_code == 201, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


def ask(rag: AgentProcess, question: str, **options: object) -> list[dict[str, Any]]:
    answer = rag.post("/rag/query", {"question": question} | options)
    assert answer.status_code == 200, answer.text
    passages: list[dict[str, Any]] = answer.json()["passages"]
    return passages


def delete(rag: AgentProcess, identifier: str) -> httpx.Response:
    with rag.client as client:
        return client.delete(f"/rag/documents/{identifier}")


def cached(server: RedisProcess) -> set[str]:
    return set(map(str, server.operator(VECTORS).keys("llama_index/vector_*")))


def pages(words: str, number: int) -> str:
    """A text of several passages, each of which says which one it is."""
    return "\n\n".join(f"{words} part{place} " + "filler " * 100 for place in range(number))


def test_health_passes_with_the_model_loaded_and_every_database_that_it_may_use(rag: AgentProcess) -> None:
    document = rag.get("/health/rag").json()
    assert document["checks"]["embedding-model:state"][0]["observedValue"] == "ready"
    granted = load_catalog("agents.yaml")["agents"]["rag"]["databases"]
    looked_at = ["embedding-model:state", *(f"redis.{name}:responseTime" for name in granted)]
    assert {document["checks"][name][0]["status"] for name in looked_at} == {"pass"}


def test_answers_with_the_nearest_passage_its_place_and_its_metadata(rag: AgentProcess) -> None:
    put(rag, "books/sea", SEA, shelf="blue", year=1999)
    put(rag, "books/kitchen", KITCHEN, shelf="red", year=1999)
    found = ask(rag, "When do the tides rise?", where={"year": 1999})
    assert [one["document_id"] for one in found] == ["books/sea", "books/kitchen"]
    assert found[0]["score"] > found[1]["score"]
    assert SEA[found[0]["start"] : found[0]["end"]] == found[0]["text"] == SEA
    assert found[0]["metadata"] == {"shelf": "blue", "year": 1999}
    assert len(ask(rag, "tides", top=1)) == 1


def test_keeps_to_documents_with_exactly_these_values(rag: AgentProcess) -> None:
    put(rag, "red-old", KITCHEN, cover="red", edition=1)
    put(rag, "red-new", KITCHEN, cover="red", edition=2)
    assert {one["document_id"] for one in ask(rag, "yeast", where={"cover": "red"})} == {"red-old", "red-new"}
    narrow = ask(rag, "yeast", where={"cover": "red", "edition": 2})
    assert [one["document_id"] for one in narrow] == ["red-new"]
    assert ask(rag, "yeast", where={"cover": "green"}) == []


def test_a_document_takes_the_place_of_its_former_version_as_a_whole(
    rag: AgentProcess, server: RedisProcess
) -> None:
    before = cached(server)
    long = put(rag, "report", pages("quarterly", 9), kind="report")
    assert long["passages"] > 8
    assert len(cached(server) - before) == long["passages"]
    short = put(rag, "report", pages("quarterly", 2), kind="report")
    assert short["stored"] == long["stored"] - long["passages"] + short["passages"]
    # What both have is not computed again, and what is gone is in the cache no longer.
    assert 0 < short["cached"] < short["passages"] + 1
    found = ask(rag, "quarterly part8", top=50, where={"kind": "report"})
    assert len(found) == short["passages"]
    assert all("part8" not in one["text"] for one in found)
    assert len(cached(server) - before) == short["passages"]


def test_vectors_lie_in_their_database_for_as_long_as_the_catalog_says(
    rag: AgentProcess, server: RedisProcess
) -> None:
    before = cached(server)
    put(rag, "lasting", "A sentence about lighthouses.")
    (key,) = cached(server) - before
    ttl = load_catalog("redis-databases.yaml")["databases"]["vectors"].get("ttl_default")
    assert server.operator(VECTORS).ttl(key) == (-1 if ttl is None else pytest.approx(ttl, abs=60))
    for number in {*range(16)} - {VECTORS}:
        assert server.operator(number).keys("llama_index/vector_*") == []
    assert server.operator().acl_log() == []


def test_a_damaged_vector_in_the_cache_is_computed_again(rag: AgentProcess, server: RedisProcess) -> None:
    before, text = cached(server), "A sentence about windmills."
    assert put(rag, "mill", text)["cached"] == 0
    assert put(rag, "mill", text)["cached"] == 1
    (key,) = cached(server) - before
    server.operator(VECTORS).set(key, "short")
    assert put(rag, "mill", text)["cached"] == 0
    assert put(rag, "mill", text)["cached"] == 1
    assert ask(rag, "windmills", top=1)[0]["document_id"] == "mill"


def test_a_deleted_document_is_gone_with_its_vectors(rag: AgentProcess, server: RedisProcess) -> None:
    before = cached(server)
    put(rag, "doomed", "A sentence about volcanoes.", doomed=True)
    assert delete(rag, "doomed").status_code == 204
    assert ask(rag, "volcanoes", where={"doomed": True}) == []
    assert cached(server) == before
    again = delete(rag, "doomed")
    assert (again.status_code, again.headers["content-type"]) == (404, "application/problem+json")
    assert "'doomed'" in again.json()["detail"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": " \n "}, "no word"),
        ({"text": ""}, "text: "),
        ({"id": "with blank"}, "id: "),
        ({"metadata": {"document_id": "x", "end": 1}}, "reserved: document_id, end"),
        ({"metadata": {f"m{n}": n for n in range(33)}}, "metadata: "),
    ],
)
def test_refuses_a_document_that_it_cannot_store_and_says_why(
    rag: AgentProcess, change: dict[str, object], said: str
) -> None:
    answer = rag.post("/rag/documents", {"id": "refused", "text": SEA} | change)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert said in answer.json()["detail"]
    assert delete(rag, "refused").status_code == 404


def test_keeps_its_documents_over_a_restart(rag: AgentProcess, start_light: StartLightAgent) -> None:
    put(rag, "kept", "A sentence about glaciers.")
    rag.stop()
    again = start_light("rag")
    again.wait_until_ready()
    assert ask(again, "glaciers", top=1)[0]["document_id"] == "kept"
