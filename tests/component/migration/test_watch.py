"""`inv migrate --watch` as a whole: an old application goes on writing into database 0 while it is moved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from autobot_ops.migration.run_folder import REPORT, all_runs
from tests.component.migration.conftest import StartServer
from tests.component.migration.migrating import misplaced, placed, union
from tests.component.migration.verb import Command, Verbs, url_of
from tests.component.rdb.data_server import DataServer

SESSIONS = 6
NAME = "old-application"


class OldApplication:
    """Writes a new legacy key every few milliseconds, as a client with a name."""

    def __init__(self, port: int) -> None:
        self.client = redis.Redis(port=port, client_name=NAME, single_connection_client=True)
        self.address = str(self.client.client_info()["addr"])
        self.written: dict[bytes, bytes] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._ended.wait(0.005):
            number = len(self.written)
            key, value = f"session:late:{number}".encode(), str(number).encode()
            self.client.set(key, value, px=10_000_000)
            self.written[key] = value

    def stop(self) -> None:
        """Be switched over."""
        self._ended.set()
        self._thread.join()
        self.client.close()


@pytest.fixture
def verbs(tmp_path: Path) -> Iterator[Verbs]:
    found = Verbs(tmp_path / "verbs")
    yield found
    found.stop()


def begin_watch(verbs: Verbs, server: DataServer) -> Command:
    return verbs.begin("migrate", "--url", url_of(server), "--no-backup", "--watch", "--yes", "--json")


@pytest.mark.parametrize("options", [(), ("--save", "1 1")], ids=["no saves", "saves meanwhile"])
def test_moves_what_comes_names_the_writer_and_ends_well_by_ctrl_c(
    start_server: StartServer, verbs: Verbs, options: tuple[str, ...]
) -> None:
    server = start_server(*options, keys=2000)
    before = placed(server)
    application = OldApplication(server.port)
    try:
        command = begin_watch(verbs, server)
        command.until_said(f"works in database 0: {application.address} '{NAME}', user default")
        arrived = server.command("DBSIZE", number=SESSIONS)
        command.until(lambda: bool(server.command("DBSIZE", number=SESSIONS) > arrived + 100))
        command.interrupt()
        ended = command.ended()
    finally:
        application.stop()
    assert ended.code == 0, ended.remarks
    report = ended.document
    assert report["result"] == "done"
    assert report["swept"] > 100
    (seen,) = report["legacy_clients"]
    assert (seen["address"], seen["name"]) == (application.address, NAME)
    (run,) = all_runs(verbs.state_dir)
    assert (run.path / REPORT).exists()
    assert run.state().outcome == "done"
    now = placed(server)
    assert before.items() <= now.items()
    assert now.keys() - before.keys() == application.written.keys()
    late = set(misplaced(server))
    assert late <= application.written.keys()
    assert len(late) < len(application.written)


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(server: DataServer, verbs: Verbs) -> None:
    whole = union(server)
    command = begin_watch(verbs, server)
    command.until_said("watching database 0")
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        command.interrupt()
        command.until_said("once more ends at once")
        command.interrupt()
        ended = command.ended()
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert ended.code == 130
    assert "error: interrupted" in ended.remarks
    assert union(server) == whole
    assert misplaced(server) == []
    again = verbs.run("migrate", "--url", url_of(server), "--no-backup", "--yes")
    assert again.code == 0
    assert "going on with the migration" in again.remarks


def test_ctrl_c_before_the_watch_has_begun_is_an_interruption(server: DataServer, verbs: Verbs) -> None:
    before = placed(server)
    url = url_of(server)
    slowly = verbs.begin("migrate", "--url", url, "--no-backup", "--watch", "--yes", "--max-rate", "300")
    slowly.until(lambda: bool(server.command("DBSIZE") < 2500))
    other = verbs.run("migrate", "--url", url, "--yes")
    assert other.code == 5
    assert f"process {slowly.process.pid} on " in other.remarks
    slowly.interrupt()
    ended = slowly.ended()
    assert ended.code == 130
    assert "The same command goes on" in ended.remarks
    assert 0 < server.command("DBSIZE") < 2500
    assert verbs.run("migrate", "--url", url, "--yes").code == 0
    assert placed(server) == before
    assert misplaced(server) == []
    history = verbs.run("history", "--verb", "migrate", "--json").document["operations"]
    assert [each["outcome"] for each in history] == ["done", "failed", "interrupted"]
    assert history[0]["numbers"]["result"] == "done"


def test_says_which_keys_keep_coming_back(server: DataServer, verbs: Verbs) -> None:
    command = begin_watch(verbs, server)
    command.until_said("watching database 0")
    with redis.Redis(port=server.port, client_name=NAME) as client:
        client.set("session:again", "first")
        command.until(lambda: bool(server.client(SESSIONS).exists("session:again")))
        client.set("session:again", "second")
        command.until_said("1 keys are in database 0 again")
    command.interrupt()
    ended = command.ended()
    assert ended.code == 6
    assert ended.document["in_the_way"] == ["session:again"]
    assert server.client().get("session:again") == b"second"
    assert server.client(SESSIONS).get("session:again") == b"first"
