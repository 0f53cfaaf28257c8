"""A server's databases as plain RDB files in memory: what an archive holds of them."""

from __future__ import annotations

from io import BytesIO

from autobot_ops.rdb.splitter import Splitter
from tests.component.rdb.data_server import DataServer


def files_of(server: DataServer) -> dict[int, bytes]:
    """Database number → its RDB."""
    files: dict[int, BytesIO] = {}
    with server.stream() as stream:
        Splitter(stream, lambda number: files.setdefault(number, BytesIO())).run()
    return {number: file.getvalue() for number, file in files.items()}
