"""The NPU agent over HTTP: files in and out of the code index, and what a search finds."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.component.agent_process import AgentProcess
from tests.component.ai_agents.conftest import StartLightAgent
from tests.component.ai_agents.light_models import HashingEncoder
from tests.component.redis_process import RedisProcess

VECTORS, MODELS = 8, 9
INDEX = f"autobot:code:index:{HashingEncoder.fingerprint}:"
BANK = '''
def split_sentences(text):
    """Cut a text into sentences."""
    return text.split(". ")


class Account:
    def transfer_money(self, amount, other):
        self.balance -= amount
        other.balance += amount
'''


@pytest.fixture(scope="module")
def npu(start_light: StartLightAgent) -> AgentProcess:
    agent = start_light("npu")
    agent.wait_until_ready()
    assert search(agent, "anything at all") == []
    return agent


def index(npu: AgentProcess, files: dict[str, str]) -> dict[str, Any]:
    answer = npu.post("/npu/index", {"files": files})
    assert answer.status_code == 200, answer.text
    indexed: dict[str, Any] = answer.json()
    return indexed


def search(npu: AgentProcess, query: str, **options: object) -> list[dict[str, Any]]:
    answer = npu.post("/npu/search", {"query": query} | options)
    assert answer.status_code == 200, answer.text
    chunks: list[dict[str, Any]] = answer.json()["chunks"]
    return chunks


def assert_whole(server: RedisProcess) -> None:
    """Every chunk belongs to a file and has its vector; nothing else is left."""
    with server.operator(VECTORS) as vectors:
        listed = [each for row in vectors.hvals(f"{INDEX}files") for each in json.loads(row)["chunks"]]
        assert sorted(listed) == sorted(vectors.hkeys(f"{INDEX}chunks"))
        assert len(listed) == vectors.hlen(f"{INDEX}vectors")


def test_finds_a_function_by_what_it_does_with_its_name_and_lines(
    npu: AgentProcess, server: RedisProcess
) -> None:
    assert index(npu, {"src/bank.py": BANK, "src/notes.txt": "buy bread"})["indexed"] == {
        "src/bank.py": 3,
        "src/notes.txt": 1,
    }
    (best,) = search(npu, "transfer money to other account", top=1)
    assert (best["path"], best["name"], best["kind"]) == ("src/bank.py", "Account.transfer_money", "function")
    assert (best["first_line"], best["last_line"]) == (8, 10)
    assert best["text"] == "\n".join(BANK.split("\n")[7:10])
    assert_whole(server)
    assert server.operator().acl_log() == []


def test_leaves_files_alone_that_have_not_changed(npu: AgentProcess) -> None:
    files = {"same/a.py": "def alpha(): ...", "same/b.py": "def beta(): ..."}
    index(npu, files)
    changed = index(npu, files | {"same/b.py": "def gamma(): ..."})
    assert (changed["unchanged"], changed["indexed"]) == (["same/a.py"], {"same/b.py": 1})


def test_a_file_takes_the_place_of_its_former_version(npu: AgentProcess, server: RedisProcess) -> None:
    index(npu, {"new/code.py": "def herring(): ...\n\n\ndef salmon(): ..."})
    index(npu, {"new/code.py": "def trout(): ..."})
    found = search(npu, "herring salmon trout", path_prefix="new/", top=50)
    assert [one["name"] for one in found] == ["trout"]
    assert npu.get("/npu/files").json()["new/code.py"] == 1
    assert_whole(server)


def test_a_file_without_code_is_known_and_found_by_nothing(npu: AgentProcess) -> None:
    assert index(npu, {"empty.py": " \n\n"})["indexed"] == {"empty.py": 0}
    assert npu.get("/npu/files").json()["empty.py"] == 0
    assert search(npu, "anything", path_prefix="empty.py") == []


def test_keeps_to_paths_below_a_prefix_and_to_as_many_as_are_asked_for(npu: AgentProcess) -> None:
    index(npu, {f"deep/{number}.py": f"def walrus_{number}(): ..." for number in range(6)})
    index(npu, {f"other/{number}.py": f"def walrus_{number}(): walrus()" for number in range(6)})
    found = search(npu, "walrus", path_prefix="deep/", top=4)
    assert len(found) == 4
    assert all(one["path"].startswith("deep/") for one in found)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert search(npu, "walrus", path_prefix="nowhere/") == []


def test_a_file_that_is_taken_out_is_found_no_more(npu: AgentProcess, server: RedisProcess) -> None:
    index(npu, {"gone/file.py": "def pelican(): ..."})
    with npu.client as client:
        assert client.delete("/npu/files/gone/file.py").status_code == 204
        again = client.delete("/npu/files/gone/file.py")
    assert (again.status_code, again.headers["content-type"]) == (404, "application/problem+json")
    assert "gone/file.py" in again.json()["detail"]
    assert "gone/file.py" not in npu.get("/npu/files").json()
    assert all(one["path"] != "gone/file.py" for one in search(npu, "pelican", top=50))
    assert_whole(server)


def test_versions_of_a_file_that_come_at_the_same_time_leave_one_of_them_whole(
    npu: AgentProcess, server: RedisProcess
) -> None:
    def put(number: int) -> dict[str, Any]:
        return index(npu, {"race.py": "\n\n\n".join(f"def heron_{number}_{n}(): ..." for n in range(3))})

    with ThreadPoolExecutor(8) as threads:
        assert all(answer["indexed"] == {"race.py": 3} for answer in threads.map(put, range(8)))
    versions = {one["name"][:7] for one in search(npu, "heron", path_prefix="race.py", top=50)}
    assert len(versions) == 1
    assert_whole(server)


def test_a_chunk_that_went_while_it_was_searched_for_is_left_out(
    npu: AgentProcess, server: RedisProcess
) -> None:
    index(npu, {"torn/a.py": "def ostrich(): ...", "torn/b.py": "def ostrich(): pass"})
    assert len(search(npu, "ostrich", path_prefix="torn/")) == 2
    with server.operator(VECTORS) as vectors:
        row = json.loads(str(vectors.hget(f"{INDEX}files", "torn/a.py")))
        vectors.hdel(f"{INDEX}chunks", *row["chunks"])
    assert [one["path"] for one in search(npu, "ostrich", path_prefix="torn/")] == ["torn/b.py"]
    index(npu, {"torn/a.py": "def ostrich(): return"})
    assert_whole(server)


@pytest.mark.parametrize(
    "files", [{}, {"": "x"}, {"a\nb": "x"}, {f"{number}.py": "x" for number in range(201)}]
)
def test_refuses_files_that_it_cannot_index(npu: AgentProcess, files: dict[str, str]) -> None:
    answer = npu.post("/npu/index", {"files": files})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "files" in answer.json()["detail"]


def test_says_what_computes_and_leaves_word_of_it_in_models(npu: AgentProcess, server: RedisProcess) -> None:
    device = npu.get("/npu/device").json()
    assert device["device"] in device["available"]
    key = f"autobot:models:{device['model']}:openvino"
    npu.wait_until("/livez", lambda _: bool(server.operator(MODELS).exists(key)))
    row = server.operator(MODELS).hgetall(key)
    assert {name: row[name] for name in ("device", "fingerprint", "dimensions")} == {
        "device": device["device"],
        "fingerprint": device["fingerprint"],
        "dimensions": "384",
    }
