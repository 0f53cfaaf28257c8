"""A small web site on loopback for the research agent: pages, redirects, a script, things too large."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARTICLE = """<!doctype html><html lang="en"><head><title>Tides of the sea</title>
<meta name="description" content="Why the sea rises."></head><body>
<nav><a href="/about">About us</a></nav><!-- a comment -->
<main><h1>Tides</h1><p>The moon pulls
the oceans.</p><p>Twice a <b>day</b> the sea rises.</p><a href="more#part">More</a>
<a href="mailto:a@b.c">Mail</a><script>var hidden = 1;</script></main>
<footer>Imprint</footer></body></html>"""

SCRIPTED = """<!doctype html><html><head><title>before</title></head><body><main id="m">empty</main>
<script>document.title = "after"; document.getElementById("m").textContent = "written by a script";</script>
</body></html>"""


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        match self.path:
            case "/article":
                self._send(200, "text/html; charset=utf-8", ARTICLE.encode())
            case "/scripted":
                self._send(200, "text/html", SCRIPTED.encode())
            case "/latin1":
                self._send(200, "text/html; charset=iso-8859-1", "<title>Käse</title>".encode("latin-1"))
            case "/plain":
                self._send(200, "text/plain", b"first line\nsecond line\n")
            case "/binary":
                self._send(200, "application/pdf", b"%PDF")
            case "/large":
                self._send(200, "text/html", b"x" * (5 * 1024 * 1024 + 1))
            case "/loop":
                self._send(302, "text/plain", b"", location="/loop")
            case "/redirect":
                self._send(302, "text/plain", b"", location="/article")
            case "/to-metadata":
                self._send(302, "text/plain", b"", location="http://169.254.169.254/latest")
            case _:
                self._send(404, "text/html", b"<title>gone</title><p>not here</p>")

    def _send(self, status: int, content_type: str, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing: what was asked for is in `seen`."""


class WebServer(ThreadingHTTPServer):
    """The site; `seen` are the paths that were asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.seen: list[str] = []

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a page."""
        return f"http://{host}:{self.server_address[1]}{path}"


@contextmanager
def serving() -> Iterator[WebServer]:
    """The site while the block runs."""
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
