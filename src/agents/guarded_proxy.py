"""A forward proxy on loopback that only connects to public addresses; the browser's way out.

A page can redirect, load pictures and run scripts; all of that goes through here, so the rule that
holds for the page's address holds for everything that it asks for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

from src.agents.addresses import (
    AddressRefused,
    AddressRule,
    NameUnknown,
    check_port,
    check_url,
    default_port,
    is_public,
    resolve,
)

logger = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
CONNECT_SECONDS = 5.0
LARGEST_HEAD_BYTES = 64 * 1024
# Of everything that one page loads.
MOST_BYTES = 50 * 1024 * 1024

_ANSWERS = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway"}


@dataclass
class GuardedProxy:
    """`async with GuardedProxy(...) as proxy:` listens on `127.0.0.1:proxy.port` inside the block."""

    rule: AddressRule = is_public
    port: int = 0
    refused: list[str] = field(default_factory=list)
    # Every host that the browser asked for, for tests and for the log of a refusal.
    hosts: set[str] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _passed: int = 0

    async def __aenter__(self) -> GuardedProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LARGEST_HEAD_BYTES)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._connect(reader, writer)
        except AddressRefused as error:
            self.refused.append(error.message)
            logger.info("the browser was refused an address: %s", error.message)
            await _answer(writer, 403, error.message)
        except (NameUnknown, OSError, TimeoutError):
            await _answer(writer, 502, "the page's server can't be reached")
        except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _answer(writer, 400, "not a request to a proxy")
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *headers = head.split("\r\n")
        method, target, version = request.split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            host, port = str(parts.hostname), parts.port or 443
            check_port(port)
            upstream = await self._open(host, port)
            writer.write(f"{version} 200 Connection established\r\n\r\n".encode("latin-1"))
        else:
            parts = check_url(target)
            host, port = str(parts.hostname), parts.port or default_port(parts.scheme)
            upstream = await self._open(host, port)
            upstream[1].write(_origin_request(method, target, version, headers).encode("latin-1"))
        await self._relay((reader, writer), upstream)

    async def _open(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.hosts.add(host)
        failure: OSError = OSError("no address")
        for address in await resolve(host, port, self.rule):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(address, port)
            except (OSError, TimeoutError) as error:
                failure = OSError(str(error))
        raise failure

    async def _relay(
        self,
        browser: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass bytes both ways until either side ends."""
        ways = [
            asyncio.create_task(self._pass_on(browser[0], server[1])),
            asyncio.create_task(self._pass_on(server[0], browser[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server[1].close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                self._passed += len(piece)
                if self._passed > MOST_BYTES:
                    self.refused.append(f"the page loads more than {MOST_BYTES} bytes")
                    return
                writer.write(piece)
                await writer.drain()


def _origin_request(method: str, target: str, version: str, headers: list[str]) -> str:
    """The request as a server expects it: a path instead of a URL, and one request per connection."""
    parts = urlsplit(target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [
        header
        for header in headers
        if header and not header.lower().startswith(("proxy-", "connection:", "keep-alive:"))
    ]
    return "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""])


async def _answer(writer: asyncio.StreamWriter, status: int, words: str) -> None:
    body = f"{words}\n".encode()
    head = (
        f"HTTP/1.1 {status} {_ANSWERS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        writer.write(head.encode("latin-1") + body)
        await writer.drain()
