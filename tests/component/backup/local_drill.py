"""The smallest drill there can be: a redis-server that loads a file, and its stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autobot_ops.rdb.window import Source
from tests.component.rdb.data_server import DataServer


class LocalDrill:
    """A server for each file, in folders below `folder`. `spoil` are commands for it before it is asked."""

    def __init__(self, folder: Path, *spoil: tuple[object, ...]) -> None:
        self._folder = folder
        self._spoil = spoil
        self.servers = 0

    @contextmanager
    def reload(self, rdb: Source, /) -> Iterator[Source]:
        folder = self._folder / f"drill-{self.servers}"
        self.servers += 1
        folder.mkdir(parents=True)
        with (folder / "dump.rdb").open("wb") as file:
            while data := rdb.read(65536):
                file.write(data)
        # A replica keeps expired keys when it loads; as a master it would delete them but for the pause.
        server = DataServer(folder, options=("--replicaof", "127.0.0.1", "1"))
        server.start()
        try:
            server.command("CONFIG", "SET", "replica-read-only", "no")
            for number, *command in self._spoil:
                server.command(*command, number=int(str(number)))
            server.command("CLIENT", "PAUSE", "86400000", "WRITE")
            server.command("REPLICAOF", "NO", "ONE")
            with server.stream() as stream:
                yield stream
        finally:
            server.stop()
