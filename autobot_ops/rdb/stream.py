"""The server's own RDB stream, as a replica gets it: one point in time of all databases.

`REPLCONF`, then `SYNC`, on a connection of its own: the server forks and its child writes the stream,
so no command runs on the main thread. The user needs `-@all +replconf +sync` and no key pattern. It can
read everything by nature, so it is the account to guard most.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from autobot_ops.rdb.errors import StreamEndedEarly, StreamUnavailable
from autobot_ops.rdb.replies import refusal

# Told one by one, because an older server refuses a whole line for one word that it doesn't know:
# `capa eof` allows the diskless form; `rdb-only` keeps the server from queueing writes for us, which
# could overrun its output buffer (7.0); `version` makes Valkey 9 write what only its own RDB can hold.
_ANNOUNCEMENTS = (("capa", "eof"), ("rdb-only", "1"), ("version", "9.0.0"))
_MARK_BYTES = 40
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens and who asks. `tls` is a context made by the caller, or None.

    `server_name` is the name in the server's certificate, where it isn't `host`.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self, seconds: float) -> socket.socket:
        """A connection, TLS done; StreamUnavailable where a step takes longer than `seconds`."""
        try:
            connection = socket.create_connection((self.host, self.port), timeout=seconds)
        except OSError as error:
            raise StreamUnavailable(
                f"no connection with {self}: {error.strerror or error}",
                hint="Check that the server runs, and its host and port.",
            ) from error
        if self.tls is None:
            return connection
        try:
            return self.tls.wrap_socket(connection, server_hostname=self.server_name or self.host)
        except OSError as error:
            connection.close()
            raise StreamUnavailable(
                f"no tls connection with {self}: {error.strerror or error}",
                hint="Check that this port speaks TLS, the certificate authority, and the host name in the "
                "certificate.",
            ) from error


class ReplicationStream:
    """The payload of one SYNC, to be read like a file and closed; a context manager.

    `read` gives exactly the RDB: the announcement, keep-alives and end mark are the protocol's and stay
    here. It raises StreamEndedEarly where the connection ends first, so an end without an error is the end.
    """

    def __init__(
        self, endpoint: Endpoint, *, connect_seconds: float = 5.0, idle_seconds: float = 60.0
    ) -> None:
        """Connect, authenticate, ask for the stream and wait until it begins.

        `idle_seconds` is how long the server may say nothing at all; while it prepares the stream it says
        a newline every ten seconds or so (`repl-ping-replica-period`). Raises StreamRefused and
        StreamUnavailable.
        """
        self.endpoint = endpoint
        self.received = 0
        self.length: int | None = None
        self._mark = b""
        self._buffer = bytearray()
        self._held = 0
        self._ended = False
        self._socket = endpoint.connect(connect_seconds)
        try:
            self._socket.settimeout(idle_seconds)
            self._authenticate()
            for words in _ANNOUNCEMENTS:
                self._announce(*words)
            self._send("SYNC")
            self._read_announcement()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def diskless(self) -> bool:
        """Whether the server's child writes to the connection; else it sends a file that it saved first."""
        return self.length is None

    def close(self) -> None:
        """Hang up; the server ends its child where nobody else listens to it."""
        self._ended = True
        self._socket.close()

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes of the RDB; fewer only at its end, none behind it."""
        if self._ended:
            return b""
        return self._read_until_mark(size) if self.length is None else self._read_counted(size)

    def _read_counted(self, size: int) -> bytes:
        assert self.length is not None  # noqa: S101 (for the type checker: the caller asked)
        size = min(size, self.length - self.received)
        data = bytearray(size)
        view = memoryview(data)
        have = 0
        while have < size:
            have += self._receive(view[have:])
        self._ended = self.received == self.length
        return bytes(data)

    def _read_until_mark(self, size: int) -> bytes:
        # As many bytes as the mark is long are held back, for they may be its beginning.
        wanted = size + _MARK_BYTES
        if len(self._buffer) < wanted:
            self._buffer.extend(bytes(wanted - len(self._buffer)))
        view = memoryview(self._buffer)
        have = self._held
        try:
            while have < wanted:
                searched = max(0, have - _MARK_BYTES + 1)
                have += self._receive(view[have:wanted])
                end = self._buffer.find(self._mark, searched, have)
                if end >= 0:
                    self._ended = True
                    return bytes(view[:end])
            payload = bytes(view[:size])
            view[:_MARK_BYTES] = bytes(view[size:wanted])
        finally:
            view.release()
        self._held = _MARK_BYTES
        return payload

    def _receive(self, into: memoryview) -> int:
        try:
            count = self._socket.recv_into(into)
        except TimeoutError as error:
            raise self._silence() from error
        except OSError as error:
            raise self._cut_off() from error
        if not count:
            raise self._cut_off()
        self.received += count
        return count

    def _silence(self) -> StreamUnavailable:
        return StreamUnavailable(
            f"{self.endpoint} has sent nothing for {self._socket.gettimeout():.0f} s",
            hint="Look into the server's log; nothing was kept.",
        )

    def _cut_off(self) -> StreamEndedEarly:
        """Who hung up: asked once, because the two have different cures."""
        try:
            self.endpoint.connect(2.0).close()
        except StreamUnavailable:
            return StreamEndedEarly(
                f"the server at {self.endpoint} went away after {self.received} bytes of the stream",
                hint="Nothing was kept. Start the server and run this again.",
            )
        return StreamEndedEarly(
            f"the server at {self.endpoint} cut the stream off after {self.received} bytes",
            hint="Nothing was kept; run it again. The server is up: its child was killed (memory?), FLUSHALL "
            "ran, or this reader was too slow for `client-output-buffer-limit replica` or `repl-timeout`.",
        )

    def _send(self, *words: str) -> None:
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            encoded = word.encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(encoded), encoded))
        try:
            self._socket.sendall(b"".join(parts))
        except OSError as error:
            raise self._cut_off() from error

    def _read_line(self) -> bytes:
        # One byte at a time: nothing of what follows the line may be taken.
        line = bytearray()
        byte = bytearray(1)
        while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            self._receive(memoryview(byte))
            line += byte
        return bytes(line)

    def _answer(self) -> str:
        return self._read_line().decode("utf-8", "backslashreplace").strip()

    def _authenticate(self) -> None:
        if self.endpoint.password is None:
            return
        user = [] if self.endpoint.username is None else [self.endpoint.username]
        self._send("AUTH", *user, self.endpoint.password)
        answer = self._answer()
        if not answer.startswith("+"):
            raise refusal(answer, self.endpoint)

    def _announce(self, option: str, value: str) -> None:
        self._send("REPLCONF", option, value)
        answer = self._answer()
        if answer.startswith("-") and "unrecognized replconf option" not in answer.lower():
            raise refusal(answer, self.endpoint)

    def _read_announcement(self) -> None:
        """`$EOF:<mark>` or `$<length>`, after any number of newlines that only keep the line open."""
        while not (line := self._read_line().strip()):
            pass
        self.received = 0
        if line.startswith(b"$EOF:") and len(line) == len(b"$EOF:") + _MARK_BYTES:
            self._mark = line.removeprefix(b"$EOF:")
        elif line.startswith(b"$") and line[1:].isdigit():
            self.length = int(line[1:])
        else:
            raise refusal(line.decode("utf-8", "backslashreplace"), self.endpoint)
