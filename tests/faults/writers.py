"""Those who write while something fails: callers of four agents, and Redis' users with no agent between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import redis

from autobot_ops.errors import OpsError
from tests.faults.ledger import NotAcknowledged, Writer

PATIENCE_SECONDS = 60.0
"""Longer than anything may take: a request that hangs is to be seen, not cut off."""

AGENT_KEYS = "autobot:agent_comm:ledger"
LARGEST_BUDGET = 131_072
"""The largest budget of tokens that a conversation may have: none of its messages is let go."""


class AgentWriter(Writer):
    """A caller of one agent at `url`."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)
        self.run = uuid.uuid4().hex[:12]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer's document if it is a success. Raises NotAcknowledged."""
        try:
            answer = self.client.post(path, json=body)
        except httpx.HTTPError as error:
            raise NotAcknowledged(f"{type(error).__name__}: {error}") from error
        if not answer.is_success:
            raise NotAcknowledged(f"{answer.status_code} {answer.text}")
        return answer.json()

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """An answer, whatever it says."""
        return self.client.get(path, params=parameters)


class ChatWriter(AgentWriter):
    """Adds messages to one conversation: encrypted, in `sessions`."""

    name = "chat"
    per_second = 4.0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.conversation = ""

    def write(self, number: int) -> str:
        """A message whose text is its number."""
        if not self.conversation:
            self.conversation = self.post(
                "/chat/conversations", {"title": self.run, "budget": LARGEST_BUDGET}
            )["id"]
        self.post(f"/chat/conversations/{self.conversation}/messages", {"content": f"message {number}"})
        return f"message {number}"

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """Also what is there in another order than it was acknowledged in."""
        answer = self.get(f"/chat/conversations/{self.conversation}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return list(acknowledged)
        answer.raise_for_status()
        return missing_in_order(acknowledged, [row["content"] for row in answer.json()["messages"]])


class KnowledgeWriter(AgentWriter):
    """Adds entries: in PostgreSQL, the index and Redis."""

    name = "knowledge"
    per_second = 3.0

    def write(self, number: int) -> str:
        """An entry whose title says which one it is."""
        title = f"{self.run} {number}"
        stored = self.post("/knowledge/entries", {"title": title, "content": f"Entry {number}."})
        return f"{stored['id']} {title}"

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """Also what has the number of an acknowledged entry and another title."""
        return [each for each in acknowledged if not self._is_there(*each.split(" ", 1))]

    def _is_there(self, identifier: str, title: str) -> bool:
        answer = self.get(f"/knowledge/entries/{identifier}")
        return answer.status_code == httpx.codes.OK and answer.json()["title"] == title


class RagWriter(AgentWriter):
    """Adds documents: in Chroma, on the agent's own volume, with their vectors in Redis."""

    name = "rag"
    per_second = 2.0

    def write(self, number: int) -> str:
        """A document of one passage."""
        document = {"id": f"{self.run}/{number}", "text": f"Note {number} of {self.run}: all is well."}
        self.post("/rag/documents", document | {"metadata": {"number": number, "run": self.run}})
        return document["id"]

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """By a question that only the document may answer."""
        return [each for each in acknowledged if not self._is_there(each)]

    def _is_there(self, identifier: str) -> bool:
        run, number = identifier.split("/")
        found = self.post(
            "/rag/query", {"question": "Is all well?", "top": 1, "where": {"number": int(number), "run": run}}
        )
        return [each["document_id"] for each in found["passages"]] == [identifier]


class NpuWriter(AgentWriter):
    """Indexes files: vectors in Redis."""

    name = "npu"
    per_second = 2.0

    def write(self, number: int) -> str:
        """A file of one function."""
        path = f"{self.run}/file_{number}.py"
        self.post("/npu/index", {"files": {path: f"def answer_{number}():\n    return {number}\n"}})
        return path

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """By the list of indexed files."""
        answer = self.get("/npu/files")
        answer.raise_for_status()
        return [each for each in acknowledged if each not in answer.json()]


class RedisWriter(Writer):
    """An agent's user, with no agent between: strings and a list. `dial` looks the server up anew."""

    name = "redis"
    per_second = 20.0

    def __init__(self, dial: Callable[[], redis.Redis]) -> None:
        self._dial = dial
        self._client: redis.Redis | None = None
        self.key = f"{AGENT_KEYS}:{uuid.uuid4().hex[:12]}"

    def write(self, number: int) -> str:
        """A string of its own and an element of the list, both acknowledged."""
        try:
            if self._client is None:
                self._client = self._dial()
            self._client.set(f"{self.key}:{number}", number)
            self._client.rpush(self.key, number)
        except (redis.RedisError, OpsError) as error:
            self._forget()
            raise NotAcknowledged(f"{type(error).__name__}: {error}") from error
        return str(number)

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        """Of either; the list's elements must stand in the order in which they were acknowledged."""
        self._forget()
        with self._dial() as client:
            values = client.mget([f"{self.key}:{each}" for each in acknowledged])
            elements = [each.decode() for each in client.lrange(self.key, 0, -1)]
        lost = [each for each, value in zip(acknowledged, values, strict=True) if value != each.encode()]
        return lost + [each for each in missing_in_order(acknowledged, elements) if each not in lost]

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def missing_in_order(acknowledged: Sequence[str], found: Sequence[str]) -> list[str]:
    """What is no part of `found`, or stands there before what was acknowledged earlier. Pure.

    More may be there than was acknowledged, and some of it twice: a client that lost an answer asks again.
    """
    missing, place = [], 0
    for each in acknowledged:
        try:
            place = found.index(each, place) + 1
        except ValueError:
            missing.append(each)
    return missing
