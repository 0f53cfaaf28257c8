"""A page for research, served by a container of its own on the network that research reaches out to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import NotFound

from tests.integration.live import Stack

START_SECONDS = 60.0
PARAGRAPHS = "".join(f"<p>Paragraph {number}: owls hunt at night.</p>" for number in range(100))
PAGE = f"<!doctype html><html lang='en'><title>Owls</title><body>{PARAGRAPHS}</body></html>"
PROGRAM = f"""
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write({PAGE.encode()!r})
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Page).serve_forever()
"""
CONNECT = ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]


@contextmanager
def served_page(stack: Stack) -> Iterator[str]:
    """Its address, as research reaches it."""
    name = f"{stack.project}-load-page"
    with contextlib.suppress(NotFound):
        # A run that was killed may have left one.
        stack.engine.containers.get(name).remove(force=True)
    server = stack.engine.containers.run(
        stack.container("knowledge-agent").attrs["Config"]["Image"],
        ["-c", PROGRAM],
        entrypoint="python",
        name=name,
        network=f"{stack.project}_egress",
        detach=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while server.exec_run(CONNECT).exit_code:
            assert time.monotonic() < deadline, server.logs()
            time.sleep(0.2)
        yield f"http://{name}:8080/"
    finally:
        server.remove(force=True)
