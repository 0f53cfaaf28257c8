"""What `inv migrate` does on a server: plan, move, report, take back, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from autobot_ops.catalog.load import UnknownName
from autobot_ops.errors import ConfigurationError
from autobot_ops.migration.conflicts import NowhereAside
from autobot_ops.migration.errors import (
    AlreadyRolledBack,
    AlreadyRunning,
    KeysCollide,
    MigrationInterrupted,
    NotAllMoved,
    ServerLost,
    UnknownRun,
)
from autobot_ops.migration.routes import make_routes
from autobot_ops.migration.run_folder import REPORT, ROLLBACK_REPORT, all_runs, only_one
from autobot_ops.migration.server import CannotMove
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.verbs.migration_steps import Options, migrate_keys
from autobot_ops.verbs.rollback_steps import take_back
from tests.component.migration.conftest import StartServer
from tests.component.migration.migrating import (
    CATALOGS,
    YES,
    migrate,
    migration_process,
    misplaced,
    placed,
    roll_back,
    session,
    union,
)
from tests.component.rdb.data_server import DataServer


def report(state_dir: Path, name: str = REPORT) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((all_runs(state_dir)[-1].path / name).read_text())
    return found


def test_every_key_gets_to_its_database_unchanged(server: DataServer, state_dir: Path) -> None:
    before = placed(server)
    migrate(server, state_dir)
    assert placed(server) == before
    assert misplaced(server) == []
    assert report(state_dir)["verified"] is True


def test_a_dry_run_changes_nothing_and_leaves_nothing(server: DataServer, state_dir: Path) -> None:
    before = server.command("INFO", "persistence")["rdb_changes_since_last_save"]
    migrate(server, state_dir, Options(dry_run=True))
    assert server.command("INFO", "persistence")["rdb_changes_since_last_save"] == before
    assert all_runs(state_dir) == []
    assert [each.name for each in (state_dir / "migrations").iterdir()] == ["lock"]


def test_rolls_back_to_what_was_there(server: DataServer, state_dir: Path) -> None:
    before = placed(server, range(1))
    migrate(server, state_dir)
    roll_back(server, state_dir)
    assert placed(server, range(1)) == before
    with pytest.raises(AlreadyRolledBack):
        roll_back(server, state_dir)


def test_a_rollback_names_changed_vanished_and_blocked_keys(server: DataServer, state_dir: Path) -> None:
    with server.client() as client:
        client.mset({"fact:changed": "1", "fact:vanished": "1", "fact:blocked": "1"})
    migrate(server, state_dir)
    with server.client(1) as client:
        client.set("fact:changed", "2")
        client.delete("fact:vanished")
    server.client().set("fact:blocked", "legacy")
    with pytest.raises(NotAllMoved):
        roll_back(server, state_dir)
    found = report(state_dir, ROLLBACK_REPORT)
    assert [each["key"] for each in found["changed"]] == ["fact:changed"]
    assert {each["key"] for each in found["left"]} == {"fact:vanished", "fact:blocked"}
    assert server.client().mget("fact:changed", "fact:blocked") == [b"2", b"legacy"]
    assert server.client(1).get("fact:blocked") == b"1"


def test_goes_on_after_ctrl_c_where_it_was(server: DataServer, state_dir: Path) -> None:
    before = placed(server)
    interrupting = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    interrupting.start()
    with pytest.raises(MigrationInterrupted) as caught:
        migrate(server, state_dir, Options(assume_yes=True, max_rate=1000))
    interrupting.join()
    assert caught.value.exit_code == 130
    assert 0 < server.command("DBSIZE") < 3000
    migrate(server, state_dir)
    assert len(all_runs(state_dir)) == 1
    assert placed(server) == before
    assert misplaced(server) == []


def test_respects_the_highest_rate(server: DataServer, state_dir: Path) -> None:
    migrate(server, state_dir, Options(assume_yes=True, max_rate=2000))
    assert report(state_dir)["seconds"]["moving"] > 1.0


class Collision:
    """`session:both` with different values, and one key with equal ones."""

    def __init__(self, server: DataServer) -> None:
        self.source, self.target = server.client(), server.client(6)
        self.source.set("session:both", "legacy")
        self.target.set("session:both", "present")
        for client in (self.source, self.target):
            client.hset("session:equal", mapping={str(n): n for n in range(20)})

    @property
    def values(self) -> Any:
        return self.source.get("session:both"), self.target.get("session:both")


def test_refuses_collisions_before_anything_moves(server: DataServer, state_dir: Path) -> None:
    collision = Collision(server)
    with pytest.raises(KeysCollide, match="session:both"):
        migrate(server, state_dir)
    assert collision.values == (b"legacy", b"present")
    assert server.command("DBSIZE") == 3002
    assert all_runs(state_dir) == []


def test_skips_collisions_and_lists_them(server: DataServer, state_dir: Path) -> None:
    collision = Collision(server)
    with pytest.raises(NotAllMoved) as caught:
        migrate(server, state_dir, Options(assume_yes=True, on_conflict="skip"))
    assert caught.value.exit_code == 6
    assert report(state_dir)["in_the_way"] == ["session:both"]
    assert collision.values == (b"legacy", b"present")


def test_replaces_and_keeps_what_was_replaced(start_server: StartServer, state_dir: Path) -> None:
    server = start_server("--databases", "32", keys=500)
    collision = Collision(server)
    migrate(server, state_dir, Options(assume_yes=True, on_conflict="replace"))
    assert collision.values == (None, b"legacy")
    assert server.client(30).get("session:both") == b"present"
    roll_back(server, state_dir)
    assert collision.values == (b"legacy", b"present")
    assert server.command("DBSIZE", number=30) == 0


@pytest.mark.parametrize(("source_life", "kept"), [(900_000, b"legacy"), (100_000, b"present")])
def test_keeps_the_newer_value(
    start_server: StartServer, state_dir: Path, source_life: int, kept: bytes
) -> None:
    server = start_server("--databases", "32")
    collision = Collision(server)
    collision.source.pexpire("session:both", source_life)
    collision.target.pexpire("session:both", 500_000)
    migrate(server, state_dir, Options(assume_yes=True, on_conflict="keep-newer"))
    assert collision.values == (None, kept)


def test_refuses_to_replace_where_nothing_can_be_put_aside(server: DataServer, state_dir: Path) -> None:
    Collision(server)
    with pytest.raises(NowhereAside):
        migrate(server, state_dir, Options(assume_yes=True, on_conflict="replace"))
    assert server.command("DBSIZE") == 3002


def test_what_live_clients_change_is_reported_and_no_failure(server: DataServer, state_dir: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        with server.client(6) as target, server.client() as legacy:
            while not ended.wait(0.002):
                if target.exists("session:live"):
                    target.append("session:live", "x")
                legacy.append("cache:live", "x")
                target.delete("session:2")

    server.client().set("session:live", "begin")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        migrate(server, state_dir, Options(assume_yes=True, max_rate=10_000))
    finally:
        ended.set()
        writer.join()
    assert report(state_dir)["result"] == "done"
    assert report(state_dir)["changes_by_others"] > 0


def test_a_change_that_nobody_wrote_is_a_failure_and_has_a_name(server: DataServer, state_dir: Path) -> None:
    """Written before the run looks at the server, so that to it nobody wrote anything."""
    saved = state_dir.parent / "plan"
    server.client().set("fact:changed", "planned")
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    server.client().set("fact:changed", "other")
    with pytest.raises(NotAllMoved):
        migrate(server, state_dir, Options(assume_yes=True, plan_file=str(saved)))
    assert report(state_dir)["differences"] == [{"key": "fact:changed", "database": 1, "what": "changed"}]
    assert server.client(1).get("fact:changed") == b"other"


def test_a_key_that_is_gone_before_it_moves_is_reported(server: DataServer, state_dir: Path) -> None:
    saved = state_dir.parent / "plan"
    server.client().set("fact:gone", "planned")
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    server.client().delete("fact:gone")
    migrate(server, state_dir, Options(assume_yes=True, plan_file=str(saved)))
    (knowledge,) = (each for each in report(state_dir)["targets"] if each["database"] == "knowledge")
    assert knowledge["stayed"] == {"expired or deleted meanwhile": 1}


def test_keys_that_expire_meanwhile_are_no_differences(server: DataServer, state_dir: Path) -> None:
    with server.client() as client:
        for number in range(200):
            client.set(f"fact:short:{number}", "x", px=300 + number * 5)
    migrate(server, state_dir, Options(assume_yes=True, max_rate=2500))
    assert report(state_dir)["result"] == "done"


def test_scans_where_the_stream_is_withheld(server: DataServer, state_dir: Path) -> None:
    before = placed(server)
    server.command("ACL", "SETUSER", "nostream", "on", ">secret", "~*", "+@all", "-sync", "-replconf")
    endpoint = Endpoint("127.0.0.1", server.port, "nostream", "secret")
    place = session(server.port, state_dir)
    limited = type(place)(endpoint, endpoint, state_dir, place.routes, place.catalog_digest)
    migrate_keys(limited, YES, None)
    assert report(state_dir)["origin"] == "scan"
    assert placed(server) == before
    assert misplaced(server) == []
    take_back(limited, YES, "")
    assert server.command("DBSIZE") == 3000


def test_further_routes_win(server: DataServer, state_dir: Path) -> None:
    routes = make_routes(CATALOGS.databases, [("experiment/*", "testing")])
    migrate(server, state_dir, routes=routes)
    assert server.command("DBSIZE", number=15) > 5


def test_refuses_a_route_to_an_unknown_database() -> None:
    with pytest.raises(UnknownName, match="nowhere"):
        make_routes(CATALOGS.databases, [("x:*", "nowhere")])


def test_refuses_an_unreachable_server(state_dir: Path) -> None:
    with pytest.raises(ServerLost):
        migrate_keys(session(1, state_dir), YES, None)


def test_refuses_a_wrong_password(server: DataServer, state_dir: Path) -> None:
    endpoint = Endpoint("127.0.0.1", server.port, "nobody", "wrong")
    place = session(server.port, state_dir)
    with pytest.raises(ConfigurationError, match="user name or password"):
        migrate_keys(type(place)(endpoint, endpoint, state_dir, place.routes, ""), YES, None)


def test_refuses_a_replica_and_names_its_master(start_server: StartServer, state_dir: Path) -> None:
    master, replica = start_server(), start_server()
    replica.command("REPLICAOF", "127.0.0.1", master.port)
    with pytest.raises(CannotMove) as caught:
        migrate(replica, state_dir)
    assert str(master.port) in caught.value.hint


def test_a_master_demoted_in_the_middle_stops_it_and_loses_nothing(
    start_server: StartServer, state_dir: Path
) -> None:
    server = start_server(keys=3000)
    whole = union(server)
    process = migration_process(server.port, state_dir, Options(assume_yes=True, max_rate=3000))
    deadline = time.monotonic() + 20
    while server.command("DBSIZE") > 2000 and time.monotonic() < deadline:
        time.sleep(0.005)
    server.command("REPLICAOF", "127.0.0.1", "1")
    process.join(20)
    assert process.exitcode not in {0, None}
    server.command("REPLICAOF", "NO", "ONE")
    assert union(server) == whole
    migrate(server, state_dir)
    assert misplaced(server) == []
    assert union(server) == whole


def test_a_full_server_still_moves(server: DataServer, state_dir: Path) -> None:
    server.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(redis.OutOfMemoryError):
        server.client().set("x", "x")
    migrate(server, state_dir)
    assert misplaced(server) == []


def test_only_one_migrates_at_a_time(server: DataServer, state_dir: Path) -> None:
    with only_one(state_dir), pytest.raises(AlreadyRunning, match=str(os.getpid())):
        migrate(server, state_dir)
    assert server.command("DBSIZE") == 3000


def test_an_unknown_run_cannot_be_taken_back(server: DataServer, state_dir: Path) -> None:
    with pytest.raises(UnknownRun):
        roll_back(server, state_dir, "20200101T000000.000Z")


def test_names_the_clients_that_work_in_database_0(server: DataServer, state_dir: Path) -> None:
    with redis.Redis(port=server.port, client_name="old-agent") as client:
        client.set("fact:x", 1)
        (writer,) = session(server.port, state_dir).writers()
    assert (writer.name, writer.user, writer.command) == ("old-agent", "default", "set")
    assert writer.address in str(writer)
