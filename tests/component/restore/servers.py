"""Servers as a restore reaches them, and archives of their databases in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import redis

from autobot_ops.ports import Dialer
from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.plan import Request
from autobot_ops.restore.restoring import Prepared, prepare
from autobot_ops.restore.server import RestoreServer
from tests.component.rdb.data_server import DataServer
from tests.component.redis_process import DATABASES, RedisProcess

ARCHIVE = "20261123T041820.123Z-critical"
NUMBERS = {"main": 0, "knowledge": 1, "sessions": 6, "workflows": 7}


@dataclass(frozen=True)
class Figures:
    """What a manifest would say."""

    name: str
    keys: int
    keys_with_expiry: int
    bytes: int
    fingerprint: str


def with_users(process: RedisProcess) -> RestoreServer:
    """A server with the stack's users, reached as they are."""

    def endpoint(user: str) -> Endpoint:
        return Endpoint("127.0.0.1", process.port, user, process.passwords[user])

    return RestoreServer(
        restore=_dialer(process.port, "restore", process.passwords["restore"]),
        migrate=_dialer(process.port, "migrate", process.passwords["migrate"]),
        loading=endpoint("restore"),
        stream=endpoint("backup"),
        databases=DATABASES,
    )


def without_users(server: DataServer) -> RestoreServer:
    """A server without users, started with `--databases 32`."""
    dial, endpoint = _dialer(server.port), Endpoint("127.0.0.1", server.port)
    return RestoreServer(dial, dial, endpoint, endpoint, DATABASES)


def _dialer(port: int, username: str | None = None, password: str | None = None) -> Dialer:
    return lambda number: redis.Redis(port=port, db=number, username=username, password=password)


def archive_of(server: RestoreServer, name: str) -> ArchivePart:
    """A database of the server, as it is now, in an archive."""
    number, file = NUMBERS[name], BytesIO()
    with ReplicationStream(server.stream) as stream:
        splitter = Splitter(stream, lambda found: file if found == number else None)
        splitter.run()
    summary = splitter.summaries.get(number)
    assert summary is not None, "an empty database has no part in the stream"
    figures = Figures(
        name, summary.keys, summary.keys_with_expiry, len(file.getvalue()), str(_fingerprint(file.getvalue()))
    )
    return part_of(file.getvalue(), figures)


def part_of(content: bytes, figures: Figures) -> ArchivePart:
    """An archive's part with any content and any figures."""

    @contextmanager
    def opened() -> Iterator[BytesIO]:
        yield BytesIO(content)

    return ArchivePart(ARCHIVE, figures, opened)


def _fingerprint(content: bytes) -> Fingerprint:
    reader, found = Reader(BytesIO(content)), Fingerprinter(0)
    digests = None
    for entry in reader:
        digests = digests or KeyDigests(reader.dialect)
        found.add(digests.of(entry), entry.expires_at)
    return found.fingerprint


def prepared(
    server: RestoreServer, part: ArchivePart, into: str | None = None, match: str | None = None
) -> Prepared:
    """The plan for restoring a part into its own or another database."""
    name = into or part.figures.name
    return prepare(server, part, Request(part.archive, part.figures.name, name, NUMBERS[name], match))
