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
        self.loaded = 0

    @contextmanager
    def reload(self, rdb: Source, /) -> Iterator[Source]:
        folder = self._folder / f"drill-{self.loaded}"
        self.loaded += 1
        folder.mkdir(parents=True)
        with (folder / "dump.rdb").open("wb") as file:
            while data := rdb.read(65536):
                file.write(data)
        server = DataServer(folder)
        server.start()
        try:
            for number, *command in self._spoil:
                server.command(*command, number=int(str(number)))
            with server.stream() as stream:
                yield stream
        finally:
            server.stop()
