"""Drills with real throwaway servers on this host: what was loaded comes back, and nothing stays."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autobot_ops.backup.drill import DoesNotLoad, DrillFailed, LocalDrill
from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.window import Source
from tests.component.rdb.conftest import StartServer, start_server  # noqa: F401
from tests.component.rdb.keys import fill
from tests.component.redis_process import REPOSITORY

PAST = 946_684_800_000
HOLDER = """
import io, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
from autobot_ops.backup.drill import LocalDrill
rdb = open(sys.argv[1], "rb").read()
with LocalDrill().reload(io.BytesIO(rdb)) as stream:
    stream.read(10)
    print("loaded", flush=True)
    sys.stdin.read()
"""


def fingerprints(source: Source) -> dict[int, Fingerprint]:
    reader = Reader(source)
    found: dict[int, Fingerprinter] = {}
    for entry in reader:
        digest = KeyDigests(reader.dialect).of(entry)
        found.setdefault(entry.database, Fingerprinter(0)).add(digest, entry.expires_at)
    return {number: each.fingerprint for number, each in found.items()}


def drilled(rdb: bytes) -> dict[int, Fingerprint]:
    with LocalDrill().reload(io.BytesIO(rdb)) as stream:
        return fingerprints(stream)


def left_overs() -> set[str]:
    folders = {str(path) for path in Path(tempfile.gettempdir()).glob("autobot-drill-*")}
    servers = {
        str(each.pid)
        for each in psutil.process_iter(["cmdline"])
        if any("autobot-drill-" in word for word in each.info["cmdline"] or ())
    }
    return folders | servers


def wait_until_nothing_is_left(before: set[str]) -> None:
    deadline = time.monotonic() + 20
    while left := left_overs() - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.fixture
def rdb(start_server: StartServer) -> bytes:  # noqa: F811
    server = start_server()
    fill(server)
    with server.client(2) as client:
        client.set("expired", "long ago", pxat=PAST + 2 * 10**12)
    server.command("SAVE")
    return (server.folder / "dump.rdb").read_bytes()


def test_gives_back_what_it_loaded(rdb: bytes) -> None:
    before = left_overs()
    assert drilled(rdb) == fingerprints(io.BytesIO(rdb))
    wait_until_nothing_is_left(before)


def test_keys_that_have_expired_meanwhile_are_counted_too(start_server: StartServer) -> None:  # noqa: F811
    server = start_server()
    with server.client(3) as client:
        for number in range(500):
            client.set(f"short:{number}", "lived", px=1500)
        server.command("SAVE")
        rdb = (server.folder / "dump.rdb").read_bytes()
        deadline = time.monotonic() + 20
        while client.dbsize():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    found = drilled(rdb)
    assert found[3].keys == 500
    assert found == fingerprints(io.BytesIO(rdb))


def test_an_empty_instance_is_one_too(start_server: StartServer) -> None:  # noqa: F811
    server = start_server()
    server.command("SAVE")
    assert drilled((server.folder / "dump.rdb").read_bytes()) == {}


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda rdb: rdb[: len(rdb) // 2], id="truncated"),
        pytest.param(lambda rdb: b"REDIS9999" + rdb[9:], id="of the future"),
        pytest.param(lambda rdb: b"no rdb at all" + rdb, id="something else"),
        pytest.param(lambda rdb: rdb[:-1] + bytes([rdb[-1] ^ 1]), id="wrong checksum"),
    ],
)
def test_names_a_file_that_does_not_load(rdb: bytes, spoilt: Callable[[bytes], bytes]) -> None:
    before = left_overs()
    with pytest.raises(DoesNotLoad) as caught:
        drilled(spoilt(rdb))
    assert len(caught.value.message) > len("redis-server refuses the file: ") + 10
    wait_until_nothing_is_left(before)


class Breaking(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise EOFError("the archive ends here")
        return super().read(100)


def test_a_source_that_breaks_off_leaves_nothing(rdb: bytes) -> None:
    before = left_overs()
    with pytest.raises(EOFError), LocalDrill().reload(Breaking(rdb)):
        pass
    wait_until_nothing_is_left(before)


def test_names_a_server_that_is_not_there(rdb: bytes) -> None:
    with (
        pytest.raises(DrillFailed, match="throwaway"),
        LocalDrill(server="no-redis-server").reload(io.BytesIO(rdb)),
    ):
        pass


def test_a_caller_that_fails_leaves_nothing(rdb: bytes) -> None:
    before = left_overs()
    with pytest.raises(ZeroDivisionError), LocalDrill().reload(io.BytesIO(rdb)):
        raise ZeroDivisionError
    wait_until_nothing_is_left(before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_an_ended_drill_leaves_no_server_and_no_data(
    rdb: bytes, tmp_path: Path, number: signal.Signals
) -> None:
    before = left_overs()
    file = tmp_path / "dump.rdb"
    file.write_bytes(rdb)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"loaded\n"
        assert left_overs() - before
        holder.send_signal(number)
        holder.wait(timeout=20)
    wait_until_nothing_is_left(before)
