"""A connection to the server for raw commands: what moves keys, and what looks at single ones."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import hiredis

from autobot_ops.migration.errors import RESUME, ServerLost
from autobot_ops.rdb.errors import StreamUnavailable
from autobot_ops.rdb.replies import refusal
from autobot_ops.rdb.stream import Endpoint

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0
RECEIVED_BYTES = 64 * 1024

Word = str | int | float | bytes


class Connection:
    """Logged in, in one database; a context manager. ServerLost wherever the server goes away."""

    def __init__(self, endpoint: Endpoint, number: int = 0) -> None:
        self.endpoint = endpoint
        self._reader = hiredis.Reader()
        self.number = -1
        try:
            self.socket = endpoint.connect(CONNECT_SECONDS)
        except StreamUnavailable as error:
            raise ServerLost(error.message, hint=error.hint) from error
        try:
            self.socket.settimeout(IDLE_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if endpoint.password is not None:
                user = () if endpoint.username is None else (endpoint.username,)
                self._expect("AUTH", *user, endpoint.password)
            self._expect("PING")
            self.select(number)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def select(self, number: int) -> None:
        """Work in this database from now on; harmless where that is so already."""
        if number != self.number:
            self._expect("SELECT", number)
            self.number = number

    def ask(self, *words: Word) -> object:
        """One command's answer; a hiredis.ReplyError is given back, not raised."""
        return self.ask_all([words])[0]

    def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[object]:
        """Many commands' answers, sent at once."""
        if not commands:
            return []
        # Its type stub takes a tuple of one word.
        self.send(b"".join(hiredis.pack_command(tuple(words)) for words in commands))  # type: ignore[arg-type]
        return self.replies(len(commands))

    def send(self, data: bytes) -> None:
        """Send commands as they are."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise self.lost(error) from error

    def receive(self) -> bytes:
        """What has come, at least a byte."""
        try:
            data = self.socket.recv(RECEIVED_BYTES)
        except OSError as error:
            raise self.lost(error) from error
        if not data:
            raise self.lost(None)
        return data

    def replies(self, count: int, received: bytes = b"") -> list[object]:
        """The next answers; `received` is what was read of them already."""
        self._reader.feed(received)
        found: list[object] = []
        while len(found) < count:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self.receive())
            else:
                found.append(reply)
        return found

    def pending(self) -> bool:
        """Whether bytes have come that a poll of the socket doesn't see (TLS holds them)."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def lost(self, error: OSError | None) -> ServerLost:
        """The error for a connection that has ended."""
        reason = "it closed the connection" if error is None else (error.strerror or str(error))
        return ServerLost(f"the server at {self.endpoint} is gone: {reason}", hint=RESUME)

    def _expect(self, *words: Word) -> None:
        reply = self.ask(*words)
        if isinstance(reply, hiredis.ReplyError):
            raise refusal(f"-{reply}", self.endpoint)
