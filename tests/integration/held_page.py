"""A page whose server doesn't answer until it is told to: a request that takes as long as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from docker.models.containers import Container

from tests.integration.conftest import Stack
from tests.waiting import wait_until

PORT = 8080
SECONDS = 60
TITLE = "Held"
PAGE = f"<!doctype html><title>{TITLE}</title><p>It was worth the wait.</p>"

SERVE = f"""
import http.server, signal, threading

signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGUSR1, signal.SIGTERM}})
released = threading.Event()

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", flush=True)
        released.wait({SECONDS})
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write({PAGE.encode()!r})

server = http.server.ThreadingHTTPServer(("", {PORT}), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", flush=True)
if signal.sigwait({{signal.SIGUSR1, signal.SIGTERM}}) == signal.SIGUSR1:
    released.set()
    signal.sigwait({{signal.SIGTERM}})
"""


@dataclass(frozen=True)
class HeldPage:
    """A page at `url`, as the research agent sees it."""

    url: str
    container: Container

    def wait_until_asked(self) -> None:
        """Until somebody waits for the page."""
        wait_until(lambda: b"asked\n" in self.container.logs(), "the page is asked for", SECONDS)

    def release(self) -> None:
        """Let everybody have it who waits."""
        self.container.kill("SIGUSR1")


@contextmanager
def held_page(stack: Stack) -> Iterator[HeldPage]:
    """The page, served by a container of its own beside the research agent."""
    image = stack.container("knowledge-agent").attrs["Config"]["Image"]
    name = f"{stack.project}-held-page"
    container = stack.engine.containers.run(
        image,
        ["-c", SERVE],
        entrypoint="python",
        name=name,
        network=f"{stack.project}_egress",
        detach=True,
    )
    try:
        wait_until(lambda: b"listening\n" in container.logs(), "the page's server listens", SECONDS)
        yield HeldPage(f"http://{name}:{PORT}/", container)
    finally:
        container.remove(force=True)
