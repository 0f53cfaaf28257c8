"""The image that every other one starts from, looked for with a real engine and registries on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from autobot_ops.adapters.images import ImageStore
from autobot_ops.errors import ConfigurationError, ServiceUnreachable
from autobot_ops.settings import Settings, load_settings
from autobot_ops.stack.root_image import resolve_root_image
from tests.component.small_stack.conftest import Started
from tests.conftest import ROOT


class _Empty(BaseHTTPRequestHandler):
    """A registry that answers and has nothing."""

    def do_GET(self) -> None:
        found = self.path == "/v2/"
        body = b"{}" if found else b'{"errors": [{"code": "NAME_UNKNOWN", "message": "no such image"}]}'
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def empty_registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def dead_registry() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def store(docker_engine: docker.DockerClient) -> ImageStore:
    return ImageStore(docker_engine)


def settings_for(root_image: str) -> Settings:
    return load_settings(ROOT, {"AUTOBOT_ROOT_IMAGE": root_image, "AUTOBOT_REGISTRY_TIMEOUT": "5"})


def resolve(store: ImageStore, root_image: str, root: Path, *, refresh: bool = False) -> str:
    return resolve_root_image(settings_for(root_image), root, store, say=pytest.fail, refresh=refresh)


@pytest.fixture
def other_script(tmp_path: Path) -> Path:
    """A project whose script was never run: the Debian that it makes isn't there."""
    script = tmp_path / "scripts/build-root-image"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 1\n")
    return tmp_path


def test_an_image_that_is_here_is_taken_without_asking(
    started: Started, store: ImageStore, other_script: Path
) -> None:
    present = started.project.stack.observe()["redis"].image
    assert resolve(store, present, other_script) == present


def test_a_registry_without_the_image_is_no_reason_for_another_one(
    store: ImageStore, empty_registry: str, other_script: Path
) -> None:
    with pytest.raises(ConfigurationError, match="the registry doesn't give out") as caught:
        resolve(store, f"{empty_registry}/debian:never", other_script)
    assert "config/stack.yaml" in caught.value.hint


def test_what_no_registry_gives_and_nobody_can_make_is_told(
    store: ImageStore, dead_registry: str, other_script: Path
) -> None:
    with pytest.raises(ServiceUnreachable, match="no registry answers for"):
        resolve(store, f"{dead_registry}/alpine:never", other_script)


def test_without_a_registry_a_refresh_stays_with_what_is_here(
    started: Started,
    store: ImageStore,
    dead_registry: str,
    other_script: Path,
    docker_engine: docker.DockerClient,
) -> None:
    name = f"{dead_registry}/redis:present"
    docker_engine.images.get(started.project.stack.observe()["redis"].image).tag(name)
    try:
        assert resolve(store, name, other_script, refresh=True) == name
    finally:
        store.forget(name)
    assert not store.has(name)
