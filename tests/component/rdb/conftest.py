"""Servers with data for the tests of the RDB library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.component.rdb.data_server import DataServer, Engine, engines

StartServer = Callable[..., DataServer]


@pytest.fixture(params=engines(), ids=str)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.param
    return found


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers, by default the system's; `rdb` is a file that it shall load."""
    started: list[DataServer] = []

    def start(
        *options: str, engine: Engine | None = None, rdb: bytes | Path | None = None, wait: bool = True
    ) -> DataServer:
        server = DataServer(tmp_path / f"server-{len(started)}", engine or engines()[0], options)
        started.append(server)
        server.folder.mkdir()
        if rdb is not None:
            content = rdb if isinstance(rdb, bytes) else rdb.read_bytes()
            (server.folder / "dump.rdb").write_bytes(content)
        return server.start(wait=wait)

    yield start
    for server in started:
        server.stop()
