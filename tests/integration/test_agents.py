"""One real request to each agent: what it exists for, through its published port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Stack

pytestmark = pytest.mark.usefixtures("own_stack")

TIMEOUT_SECONDS = 60

PAGE = """<!doctype html><html lang="en"><title>Owls</title><body>
<p>Owls hunt at night.</p><a href="/more">more</a>
<script>
document.body.insertAdjacentHTML('beforeend', '<p>Written by ' + 'a script.</p>')
</script></body></html>"""

SERVE_PAGE = f"""
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write({PAGE.encode()!r})
http.server.HTTPServer(("", 8080), Page).serve_forever()
"""


def call(stack: Stack, agent: str, method: str, path: str, **options: Any) -> httpx.Response:
    response = httpx.request(method, stack.url(agent, path), timeout=TIMEOUT_SECONDS, **options)
    assert response.is_success, response.text
    return response


def post(stack: Stack, agent: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return dict(call(stack, agent, "POST", path, json=body).json())


@pytest.fixture
def page_url(stack: Stack) -> Iterator[str]:
    """A page on the network that research reaches out to, served by a container of its own."""
    image = stack.container("knowledge-agent").attrs["Config"]["Image"]
    server = stack.engine.containers.run(
        image,
        ["-c", SERVE_PAGE],
        entrypoint="python",
        name=f"{stack.project}-page",
        network=f"{stack.project}_egress",
        detach=True,
    )
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        connect = ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]
        while server.exec_run(connect).exit_code:
            assert time.monotonic() < deadline, server.logs()
        yield f"http://{stack.project}-page:8080/"
    finally:
        server.remove(force=True)


def test_chat_counts_tokens_and_keeps_a_conversation(stack: Stack) -> None:
    counted = post(stack, "chat", "/chat/tokens", {"text": "How many tokens is this?"})
    assert counted == {"tokens": 6, "characters": 24, "encoding": "tekken"}
    conversation = post(stack, "chat", "/chat/conversations", {"title": "Owls"})
    path = f"/chat/conversations/{conversation['id']}"
    post(stack, "chat", f"{path}/messages", {"content": "Do owls hunt at night?"})
    kept = call(stack, "chat", "GET", path).json()
    assert [message["content"] for message in kept["messages"]] == ["Do owls hunt at night?"]
    assert 0 < kept["tokens"] <= kept["budget"]


def test_rag_answers_with_the_best_passage_first(stack: Stack) -> None:
    post(stack, "rag", "/rag/documents", {"id": "owls", "text": "Owls are birds of prey that hunt at night."})
    post(
        stack, "rag", "/rag/documents", {"id": "bread", "text": "Bread is baked from flour, water and yeast."}
    )
    found = post(stack, "rag", "/rag/query", {"question": "Which animals hunt in the dark?", "top": 2})
    passages = found["passages"]
    assert [passage["document_id"] for passage in passages] == ["owls", "bread"]
    assert passages[0]["score"] > passages[1]["score"]


def test_npu_finds_nothing_in_an_empty_index(stack: Stack) -> None:
    for path in call(stack, "npu", "GET", "/npu/files").json():
        call(stack, "npu", "DELETE", f"/npu/files/{path}")
    assert post(stack, "npu", "/npu/search", {"query": "write bytes into a file"})["chunks"] == []


def test_npu_finds_code_by_its_meaning(stack: Stack) -> None:
    files = {
        "geometry.py": "def circle_area(radius):\n    return 3.14159 * radius ** 2\n",
        "storage.py": "def save_to_disk(path, data):\n    with open(path, 'wb') as f:\n        f.write(data)",
    }
    post(stack, "npu", "/npu/index", {"files": files})
    found = post(stack, "npu", "/npu/search", {"query": "write bytes into a file"})
    best = found["chunks"][0]
    assert (best["path"], best["name"]) == ("storage.py", "save_to_disk")
    assert call(stack, "npu", "GET", "/npu/device").json()["device"]


@pytest.mark.parametrize("render", [False, True])
def test_research_fetches_a_page_and_extracts_what_it_says(stack: Stack, page_url: str, render: bool) -> None:
    page = post(stack, "research", "/research/fetch", {"url": page_url, "render": render, "fresh": True})
    assert page["title"] == "Owls"
    assert "Owls hunt at night." in page["text"]
    assert ("Written by a script." in page["text"]) is render
    assert [link["url"] for link in page["links"]] == [f"{page_url}more"]


def test_knowledge_stores_an_entry_and_finds_it_by_its_words(stack: Stack) -> None:
    entry = {"title": "Owls", "content": "Owls hunt at night.", "tags": ["birds"]}
    stored = post(stack, "knowledge", "/knowledge/entries", entry)
    assert stored["mirrored"] is True
    found = call(stack, "knowledge", "GET", "/knowledge/search", params={"q": "hunting"}).json()
    assert stored["id"] in [hit["id"] for hit in found["hits"]]
