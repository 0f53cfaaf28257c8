"""One connection that sends many commands ahead and checks every answer.

Written for millions of small commands: hiredis packs and parses, and nothing is done per command that
can be done per batch.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import hiredis

from autobot_ops.errors import OpsError
from autobot_ops.rdb.errors import StreamUnavailable
from autobot_ops.rdb.replies import refusal
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.errors import UNTOUCHED, LoadRefused, ServerLost
from autobot_ops.restore.pace import Pace

PING_EVERY_SECONDS = 0.02
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0
_RECEIVED_BYTES = 64 * 1024

Word = str | int | float | bytes | memoryview
Check = Callable[[object], None]


class CommandPipe:
    """Commands to one database of a server, answered in order; a context manager.

    At most as many bytes as `pace` allows are unanswered, but for a single larger command. A second
    connection measures with PING how long others wait. Raises LoadRefused with the command and key that
    the server refused, and ServerLost; after either nothing more may be sent.
    """

    def __init__(self, endpoint: Endpoint, number: int, pace: Pace) -> None:
        self._endpoint = endpoint
        self._pace = pace
        self._batch_bytes = pace.batch_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        # Of each batch under way: its commands and its bytes.
        self._batches: deque[list[int]] = deque()
        self._in_flight = 0
        self._sent = self._answered = 0
        # Where something is to be looked at: number of the command → what it was, or who looks.
        self._checks: dict[int, Check] = {}
        self._replies = hiredis.Reader()
        self._next_ping = 0.0
        self.slowest_ping = 0.0
        self._connection = _connect(endpoint, number)
        try:
            self._other = _connect(endpoint, None)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; what isn't answered yet may or may not be done, but nothing of it will be done later.

        A server goes on with what it has received of a closed connection: whoever clears up behind an
        interrupted load would clear up too early. So its own end is waited for, CONNECT_SECONDS at most.
        """
        with suppress(OSError):
            self._connection.settimeout(CONNECT_SECONDS)
            self._connection.shutdown(socket.SHUT_WR)
            while self._connection.recv(_RECEIVED_BYTES):
                pass
        self._connection.close()
        self._other.close()

    def send(self, words: Sequence[Word], check: Check | None = None) -> None:
        """Send a command, sooner or later. An answer that is an error raises; `check` sees any other."""
        self.send_packed(hiredis.pack_command(tuple(words)), check)  # type: ignore[arg-type]

    def send_packed(self, packed: bytes, check: Check | None = None) -> None:
        """The same for one command as it goes over the line."""
        self._held.append(packed)
        self._held_bytes += len(packed)
        if check is not None:
            self._checks[self._sent + len(self._held) - 1] = check
        if self._held_bytes >= self._batch_bytes:
            self._flush()

    def finish(self) -> None:
        """Send what is held, and wait until everything is answered."""
        self._flush()
        while self._batches:
            self._receive()

    def _flush(self) -> None:
        if not self._held:
            return
        while self._batches and self._in_flight + self._held_bytes > self._pace.window_bytes:
            self._receive()
        try:
            self._connection.sendall(b"".join(self._held))
        except OSError as error:
            raise self._lost(error) from error
        self._batches.append([len(self._held), self._held_bytes])
        self._in_flight += self._held_bytes
        self._sent += len(self._held)
        self._held.clear()
        self._held_bytes = 0
        if self._pace.adaptive and time.monotonic() >= self._next_ping:
            self._ping()

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_RECEIVED_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(None)
        self._replies.feed(data)
        checks = self._checks
        batch = self._batches[0]
        while (reply := self._replies.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise self._refused(str(reply))
            if checks:
                check = checks.pop(self._answered, None)
                if check is not None:
                    check(reply)
            self._answered += 1
            batch[0] -= 1
            if not batch[0]:
                self._in_flight -= batch[1]
                self._batches.popleft()
                if not self._batches:
                    return
                batch = self._batches[0]

    def _ping(self) -> None:
        """How long another client waits at this moment, with our batches under way."""
        began = time.monotonic()
        try:
            self._other.sendall(b"PING\r\n")
            answer = self._other.recv(64)
        except OSError as error:
            raise self._lost(error) from error
        if answer != b"+PONG\r\n":
            raise self._lost(None)
        ended = time.monotonic()
        self.slowest_ping = max(self.slowest_ping, ended - began)
        self._pace.observe(ended - began)
        self._batch_bytes = self._pace.batch_bytes
        self._next_ping = ended + PING_EVERY_SECONDS

    def _refused(self, answer: str) -> OpsError:
        if answer.startswith(("OOM", "MISCONF")):
            hint = f"{UNTOUCHED} Make room on the server (inv database.list), or raise its maxmemory."
        elif answer.startswith("NOPERM"):
            hint = f"{UNTOUCHED} inv database.reload brings the users' rights in line."
        elif "payload" in answer or "Bad data format" in answer:
            hint = f"{UNTOUCHED} The archive comes from a newer server than this one; restore it there."
        else:
            hint = f"{UNTOUCHED} Look into the server's log."
        return LoadRefused(f"{self._endpoint} refuses what is loaded: {answer}", hint=hint)

    def _lost(self, error: OSError | None) -> ServerLost:
        reason = "it closed the connection" if error is None else (error.strerror or str(error))
        return ServerLost(
            f"the server at {self._endpoint} is gone: {reason}",
            hint=f"{UNTOUCHED} Start the server and run this again, which clears away what was loaded.",
        )


def _connect(endpoint: Endpoint, number: int | None) -> socket.socket:
    """A connection whose user is logged in, with the database selected."""
    connection = endpoint.connect(CONNECT_SECONDS)
    try:
        connection.settimeout(IDLE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.password is not None:
            user = (endpoint.username,) if endpoint.username is not None else ()
            _ask(connection, endpoint, "AUTH", *user, endpoint.password)
        if number is not None:
            _ask(connection, endpoint, "SELECT", number)
    except BaseException:
        connection.close()
        raise
    return connection


def _ask(connection: socket.socket, endpoint: Endpoint, *words: Word) -> None:
    reader = hiredis.Reader()
    try:
        connection.sendall(hiredis.pack_command(words))  # type: ignore[arg-type]
        while (reply := reader.gets()) is False:
            data = connection.recv(_RECEIVED_BYTES)
            if not data:
                raise StreamUnavailable(f"{endpoint} closed the connection", hint="Look into its log.")
            reader.feed(data)
    except OSError as error:
        raise StreamUnavailable(
            f"no answer from {endpoint}: {error.strerror or error}", hint="Check that the server runs."
        ) from error
    if isinstance(reply, hiredis.ReplyError):
        raise refusal(f"-{reply}", endpoint)
