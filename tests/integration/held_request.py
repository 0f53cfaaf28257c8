"""A request that is in flight for as long as a test wants: the agent has begun it and waits for the body."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from tests.integration.conftest import Stack

SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back in the end."""

    status: int
    document: dict[str, Any]


@dataclass
class HeldRequest:
    """A POST whose headers are sent and whose body isn't."""

    connection: http.client.HTTPConnection
    body: bytes

    def finish(self) -> Answer:
        """Send the body and take the answer."""
        self.connection.send(self.body)
        response = self.connection.getresponse()
        answer = Answer(response.status, json.loads(response.read()))
        self.connection.close()
        return answer


def begin_request(stack: Stack, agent: str, path: str, document: dict[str, Any]) -> HeldRequest:
    """Send the headers and return when the agent asks for the body: it does that from within the request."""
    body = json.dumps(document).encode()
    port = stack.catalogs.agent(agent).port + stack.port_offset
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.putrequest("POST", path)
    for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        piece = connection.sock.recv(1)
        assert piece, f"{agent} closed the connection after {received!r}"
        received += piece
    assert received.startswith(b"HTTP/1.1 100"), received
    return HeldRequest(connection, body)
