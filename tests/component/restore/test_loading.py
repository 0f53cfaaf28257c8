"""Loading into a real server gives the same keys, by RESTORE and in pieces, and passes over what expired."""

from __future__ import annotations

import signal
import threading
import time
from io import BytesIO

import pytest
import redis

from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.errors import LoadRefused
from autobot_ops.restore.loading import WHOLE_BYTES, Loaded, load, load_whole
from autobot_ops.restore.pace import MOST_BYTES, Pace
from autobot_ops.restore.pipe import CommandPipe
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import contents
from tests.component.rdb.data_server import DataServer
from tests.component.rdb.keys import fill
from tests.component.restore.files import files_of

STAGING = 16
DATABASES = ("--databases", "32")


def now() -> int:
    return int(time.time() * 1000)


def load_file(server: DataServer, file: bytes, *, whole_bytes: int = WHOLE_BYTES) -> Loaded:
    with CommandPipe(Endpoint("127.0.0.1", server.port), STAGING, Pace()) as pipe:
        loaded = load(BytesIO(file), pipe, now, whole_bytes=whole_bytes)
        if loaded.incomplete:
            load_whole(BytesIO(file), pipe, loaded.incomplete)
    return loaded


@pytest.mark.parametrize("whole_bytes", [WHOLE_BYTES, 0], ids=["usual", "all in pieces"])
def test_every_type_comes_back_as_it_was(start_server: StartServer, whole_bytes: int) -> None:
    server = start_server(*DATABASES)
    fill(server)
    file = files_of(server)[5]
    loaded = load_file(server, file, whole_bytes=whole_bytes)
    assert contents(server, STAGING) == contents(server, 5)
    assert loaded.keys == server.command("DBSIZE", number=5)
    assert loaded.in_pieces > (loaded.keys // 2 if whole_bytes == 0 else 1)


def test_pending_entries_of_deleted_messages_come_back(start_server: StartServer) -> None:
    server = start_server(*DATABASES)
    with server.client(5) as client:
        for number in range(1, 50):
            client.xadd("stream", {"text": "t" * 20}, id=f"{number}-1")
        client.xgroup_create("stream", "readers", "0")
        client.xreadgroup("readers", "Ann", {"stream": ">"}, count=20)
        client.xdel("stream", "3-1", "7-1")
    loaded = load_file(server, files_of(server)[5], whole_bytes=0)
    assert loaded.incomplete == {b"stream"}
    assert contents(server, STAGING) == contents(server, 5)


def test_expired_keys_are_counted_and_not_revived(start_server: StartServer) -> None:
    server = start_server(*DATABASES)
    with server.client(5) as client:
        client.set("stays", 1)
        client.set("goes", 1, px=150)
        client.set("goes too", "x" * 100_000, px=150)
    file = files_of(server)[5]
    deadline = time.monotonic() + 10
    while server.command("EXISTS", "goes", "goes too", number=5):
        assert time.monotonic() < deadline
    loaded = load_file(server, file)
    assert (loaded.keys, loaded.expired) == (1, 2)
    assert list(contents(server, STAGING)) == [b"stays"]


def test_a_refused_key_is_named_as_an_error(start_server: StartServer) -> None:
    server = start_server(*DATABASES)
    server.command("SET", "key", "value", number=5)
    file = files_of(server)[5]
    load_file(server, file)
    with pytest.raises(LoadRefused, match="BUSYKEY"):
        load_file(server, file)


def test_nothing_is_written_after_hanging_up(start_server: StartServer) -> None:
    """What clears up behind an interrupted load finds all that it wrote, also where a server is slow."""
    server = start_server(*DATABASES)
    process = server.process
    assert process is not None
    pipe = CommandPipe(Endpoint("127.0.0.1", server.port), STAGING, Pace(MOST_BYTES, adaptive=False))
    with server.client(STAGING) as client:
        assert client.ping()
        process.send_signal(signal.SIGSTOP)
        for number in range(1500):
            pipe.send(("SET", number, b"x" * 100))
        going_on = threading.Timer(0.3, process.send_signal, (signal.SIGCONT,))
        going_on.start()
        pipe.close()
        client.flushdb()
        going_on.join()
        assert wait_until_gone(client, connections=1)
        assert client.dbsize() == 0


def wait_until_gone(client: redis.Redis, connections: int) -> bool:
    """Whether the server has forgotten all but so many connections, within some seconds."""
    deadline = time.monotonic() + 10
    while len(client.client_list()) > connections:
        if time.monotonic() > deadline:
            return False
    return True
