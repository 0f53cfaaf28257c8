"""What callers of the five agents do all day. What is stored is bounded: documents and files come again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import httpx

from tests.load.traffic import Endpoint, Send

KEPT = 50
"""Documents, files and entries that there are at any time."""

ROUNDS = 8
"""How often each document is stored beforehand. Chroma writes its index out after 1,000 changes of passages,
a document has three, and until the first time the log of changes grows in memory: 8 MiB in 100 documents."""

FILL_SECONDS = 60.0
MESSAGES_OF_A_CONVERSATION = 20
TEXT = " ".join(
    f"Sentence {number} is about owls, bread, tides and the light of lamps." for number in range(12)
)
SOURCE = "def area_{number}(radius):\n    return {number} + 3.14159 * radius ** 2\n"
Url = Callable[[str, str], str]
"""Agent and path → address."""


def all_endpoints(url: Url, page: str) -> list[Endpoint]:
    """Every agent's real requests and their rates; `page` is what research fetches.

    Stores all documents, files and entries first: from then on they are replaced, so that what grows
    afterwards isn't the data.
    """
    chat, knowledge = _Conversations(url), _Entries(url)
    knowledge.fill()
    for number in range(KEPT):
        httpx.post(url("npu", "/npu/index"), json=_files(number), timeout=FILL_SECONDS).raise_for_status()
    for number in range(KEPT * ROUNDS):
        document = _document(number)
        httpx.post(url("rag", "/rag/documents"), json=document, timeout=FILL_SECONDS).raise_for_status()
    return [
        Endpoint("chat: POST /chat/tokens", 8, _post(url("chat", "/chat/tokens"), lambda _: {"text": TEXT})),
        Endpoint("chat: POST …/messages", 4, chat.add),
        Endpoint("chat: GET /chat/conversations/{id}", 4, chat.read),
        Endpoint("rag: POST /rag/documents", 1, _post(url("rag", "/rag/documents"), _document)),
        Endpoint("rag: POST /rag/query", 2, _post(url("rag", "/rag/query"), _question)),
        Endpoint("npu: POST /npu/index", 1, _post(url("npu", "/npu/index"), _files)),
        Endpoint("npu: POST /npu/search", 2, _post(url("npu", "/npu/search"), _query)),
        Endpoint(
            "research: POST /research/fetch",
            2,
            _post(url("research", "/research/fetch"), lambda _: {"url": page, "fresh": True}),
        ),
        Endpoint("knowledge: POST /knowledge/entries", 2, knowledge.add),
        Endpoint("knowledge: DELETE /knowledge/entries/{id}", 2, knowledge.delete),
        Endpoint("knowledge: GET /knowledge/search", 4, knowledge.search),
    ]


def _post(address: str, body: Callable[[int], dict[str, Any]]) -> Send:
    async def send(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.post(address, json=body(number))

    return send


def _document(number: int) -> dict[str, Any]:
    return {"id": f"load/{number % KEPT}", "text": f"Version {number}. {TEXT}"}


def _question(number: int) -> dict[str, Any]:
    return {"question": f"What is said of owls in version {number}?", "top": 3}


def _files(number: int) -> dict[str, Any]:
    return {"files": {f"load/file_{number % KEPT}.py": SOURCE.format(number=number)}}


def _query(number: int) -> dict[str, Any]:
    return {"query": f"the area of a circle of radius {number}", "top": 3}


class _Conversations:
    """One after the other, each of a few messages."""

    def __init__(self, url: Url) -> None:
        self._address = url("chat", "/chat/conversations")
        self._current = ""

    async def add(self, client: httpx.AsyncClient, number: int) -> httpx.Response:
        """A message; every so often to a new conversation, which is then a part of the same request."""
        if number % MESSAGES_OF_A_CONVERSATION == 0 or not self._current:
            begun = await client.post(self._address, json={"title": f"load {number}"})
            if not begun.is_success:
                return begun
            self._current = begun.json()["id"]
        return await client.post(
            f"{self._address}/{self._current}/messages", json={"content": f"{number}: {TEXT}"}
        )

    async def read(self, client: httpx.AsyncClient, number: int) -> httpx.Response:
        """The current conversation; the list of them as long as there is none."""
        return await client.get(f"{self._address}/{self._current}" if self._current else self._address)


class _Entries:
    """As many are deleted as are added."""

    def __init__(self, url: Url) -> None:
        self._address = url("knowledge", "/knowledge/entries")
        self._search = url("knowledge", "/knowledge/search")
        self._stored: deque[int] = deque()

    def fill(self) -> None:
        """As many as there shall be."""
        for number in range(KEPT):
            response = httpx.post(self._address, json={"title": f"Entry {number}", "content": TEXT})
            response.raise_for_status()
            self._stored.append(response.json()["id"])

    async def add(self, client: httpx.AsyncClient, number: int) -> httpx.Response:
        """A new one."""
        response = await client.post(self._address, json={"title": f"Load {number}", "content": TEXT})
        if response.is_success:
            self._stored.append(response.json()["id"])
        return response

    async def delete(self, client: httpx.AsyncClient, _number: int) -> httpx.Response:
        """The oldest one. Raises httpx.HTTPError where adding has fallen so far behind that there is none."""
        if not self._stored:
            raise httpx.HTTPError("no entry is left to be deleted: adding has fallen behind")
        return await client.delete(f"{self._address}/{self._stored.popleft()}")

    async def search(self, client: httpx.AsyncClient, number: int) -> httpx.Response:
        """Words that are there."""
        return await client.get(self._search, params={"q": f"owls lamps {number}"})
