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
    @property
    def site(self) -> WebServer:
        assert isinstance(self.server, WebServer)
        return self.server

    def do_GET(self) -> None:
        self.site.seen.append(self.path)
        match self.path:
            case "/article":
                self._send(200, "text/html; charset=utf-8", ARTICLE.encode())
            case "/scripted":
                self._send(200, "text/html", SCRIPTED.encode())
            case "/latin1":
                self._send(200, "text/html; charset=iso-8859-1", "<title>Käse</title>".encode("latin-1"))
            case "/slow":
                self.site.asked_for_slow.set()
                self.site.answer_slow.wait(30)
                self._send(200, "text/html", ARTICLE.encode())
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
            case "/elsewhere":
                self._send(302, "text/plain", b"", location=self.site.redirect_to)
            case "/page":
                self._send(200, "text/html", self.site.page.encode())
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
    """The site on one loopback address.

    `seen` are the paths that were asked for; `/slow` waits until the test says so, `/elsewhere` leads
    to `redirect_to`, and `/page` is `page`.
    """

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Pages)
        self.host = host
        self.seen: list[str] = []
        self.redirect_to = ""
        self.page = ""
        self.asked_for_slow = threading.Event()
        self.answer_slow = threading.Event()

    def url(self, path: str, host: str = "") -> str:
        """The address of a page."""
        return f"http://{host or self.host}:{self.server_address[1]}{path}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve while the block runs."""
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        yield
        self.shutdown()
        self.server_close()
        thread.join()
