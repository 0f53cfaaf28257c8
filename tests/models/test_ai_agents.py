"""Chat, RAG and NPU as processes with their real models and a real Redis."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.redis_process import RedisProcess

SEA = "The moon pulls the oceans, and so the tides rise twice a day. Fishermen know the hours by heart."
KITCHEN = "Yeast makes dough rise. Bake the loaf for forty minutes at high heat."
CODE = '''
def split_sentences(text):
    """Cut a text into sentences."""
    return text.split(". ")


class Account:
    def transfer_money(self, amount, other):
        self.balance -= amount
        other.balance += amount
'''


def search(npu: AgentProcess, query: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = npu.post("/npu/search", {"query": query} | options).json()["chunks"]
    return found


def ready(start_agent: StartAgent, name: str) -> AgentProcess:
    agent = start_agent(name)
    agent.wait_until_ready()
    return agent


def test_chat_counts_tokens_and_keeps_a_conversation_within_its_budget(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    chat = ready(start_agent, "chat")
    assert chat.post("/chat/tokens", {"text": "Hello wörld"}).json() == {
        "tokens": 4,
        "characters": 11,
        "encoding": "tekken",
    }
    begun = chat.post("/chat/conversations", {"budget": 20}).json()
    path = f"/chat/conversations/{begun['id']}"
    for number in range(4):
        answer = chat.post(f"{path}/messages", {"content": f"message number {number} is here"})
        assert answer.status_code == 201
    conversation = chat.get(path).json()
    assert conversation["tokens"] <= conversation["budget"]
    assert conversation["dropped"] == 1
    assert [one["content"][15] for one in conversation["messages"]] == ["1", "2", "3"]
    assert chat.post(f"{path}/messages", {"content": "word " * 30}).status_code == 422
    assert chat.get("/chat/conversations").json() == [begun["id"]]
    keys = redis_process.operator(6).keys("*")
    assert all(str(key).startswith("chat:") for key in keys)
    assert all(0 < redis_process.operator(6).ttl(key) <= 86_400 for key in keys)
    with chat.client as client:
        assert client.delete(path).status_code == 204
    assert chat.get(path).status_code == 404
    assert redis_process.operator().acl_log() == []


def test_rag_answers_with_the_passage_that_is_nearest(
    start_agent: StartAgent, redis_process: RedisProcess
) -> None:
    rag = ready(start_agent, "rag")
    for name, text in (("sea", SEA), ("kitchen", KITCHEN)):
        answer = rag.post("/rag/documents", {"id": name, "text": text, "metadata": {"topic": name}})
        assert answer.status_code == 201, answer.text
    question = "Why does the water level change?"
    found = rag.post("/rag/query", {"question": question, "top": 2}).json()["passages"]
    assert [one["document_id"] for one in found] == ["sea", "kitchen"]
    assert found[0]["score"] > found[1]["score"]
    assert SEA[found[0]["start"] : found[0]["end"]] == found[0]["text"]
    narrow = {"question": question, "where": {"topic": "kitchen"}}
    assert [one["document_id"] for one in rag.post("/rag/query", narrow).json()["passages"]] == ["kitchen"]
    assert rag.post("/rag/documents", {"id": "sea", "text": SEA}).json()["cached"] == 1
    assert len(redis_process.operator(8).keys("llama_index/vector_*")) == 2
    rag.post("/rag/documents", {"id": "sea", "text": "Something else."})
    with rag.client as client:
        assert client.delete("/rag/documents/kitchen").status_code == 204
        assert client.delete("/rag/documents/kitchen").status_code == 404
    assert len(redis_process.operator(8).keys("llama_index/vector_*")) == 1
    assert redis_process.operator().acl_log() == []


def test_rag_keeps_its_documents_over_a_restart(start_agent: StartAgent) -> None:
    rag = ready(start_agent, "rag")
    rag.post("/rag/documents", {"id": "sea", "text": SEA})
    rag.stop()
    again = ready(start_agent, "rag")
    assert again.post("/rag/query", {"question": "tides"}).json()["passages"][0]["document_id"] == "sea"


def test_rag_refuses_a_document_without_a_word(start_agent: StartAgent) -> None:
    rag = ready(start_agent, "rag")
    for text in (" \n ", ""):
        assert rag.post("/rag/documents", {"id": "x", "text": text}).status_code == 422


def test_npu_finds_code_by_what_it_does(start_agent: StartAgent, redis_process: RedisProcess) -> None:
    npu = ready(start_agent, "npu")
    files = {"bank.py": CODE, "notes.txt": "buy bread"}
    answer = npu.post("/npu/index", {"files": files}).json()
    assert answer["indexed"] == {"bank.py": 3, "notes.txt": 1}
    assert answer["device"] in npu.get("/npu/device").json()["available"]
    assert npu.post("/npu/index", {"files": files}).json()["unchanged"] == ["bank.py", "notes.txt"]
    best = npu.post("/npu/search", {"query": "move a sum between two bank accounts", "top": 1}).json()[
        "chunks"
    ][0]
    assert (best["path"], best["name"], best["first_line"]) == ("bank.py", "Account.transfer_money", 8)
    assert [one["path"] for one in search(npu, "move a sum", path_prefix="notes")] == ["notes.txt"]
    with npu.client as client:
        assert client.delete("/npu/files/bank.py").status_code == 204
    assert npu.get("/npu/files").json() == {"notes.txt": 1}
    assert [one["path"] for one in npu.post("/npu/search", {"query": "money"}).json()["chunks"]] == [
        "notes.txt"
    ]
    npu.wait_until("/livez", lambda _: bool(redis_process.operator(9).keys("autobot:models:*")))
    assert redis_process.operator().acl_log() == []


@pytest.mark.parametrize("name", ["chat", "rag", "npu"])
def test_every_line_of_output_is_json_also_while_models_load(start_agent: StartAgent, name: str) -> None:
    import json

    agent = ready(start_agent, name)
    agent.stop()
    for line in agent.output().splitlines():
        assert json.loads(line)["agent"] == name
