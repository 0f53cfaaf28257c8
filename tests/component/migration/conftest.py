"""Servers with an old installation's keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autobot_ops.demo.legacy_keys import legacy_commands
from autobot_ops.demo.seeding import write_commands
from tests.component.rdb.data_server import DataServer, engines

StartServer = Callable[..., DataServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers of the system's engine; `keys` is how many legacy keys they get."""
    started: list[DataServer] = []

    def start(*options: str, keys: int = 0) -> DataServer:
        server = DataServer(tmp_path / f"server-{len(started)}", engines()[0], options)
        started.append(server)
        server.start()
        if keys:
            seed(server, keys)
        return server

    yield start
    for server in started:
        server.stop()


def seed(server: DataServer, keys: int) -> None:
    """Legacy keys, as `inv demo.seed` writes them."""
    with server.client() as client:
        write_commands(client, legacy_commands(keys, now=time.time_ns() // 1_000_000), lambda _: None)


@pytest.fixture
def server(start_server: StartServer) -> DataServer:
    """One with 3,000 legacy keys."""
    return start_server(keys=3000)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where journals are kept."""
    return tmp_path / "state"


@pytest.fixture
def source(start_server: StartServer) -> DataServer:
    """One with legacy keys."""
    return start_server(keys=2000)


@pytest.fixture
def target(start_server: StartServer) -> DataServer:
    return start_server("--databases", "32")
