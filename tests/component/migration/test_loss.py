"""Nothing is lost, doubled or changed, whoever is killed and whenever."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import redis

from autobot_ops.migration.run_folder import DONE, all_runs
from autobot_ops.verbs.migration_steps import Options
from tests.component.migration.conftest import StartServer
from tests.component.migration.migrating import (
    migrate,
    migration_process,
    misplaced,
    placed,
    roll_back,
    session,
    union,
)
from tests.component.rdb.data_server import DataServer

EVERY = bool(os.environ.get("AUTOBOT_TEST_EVERY_LOSS"))
"""Whether the counts are those that a release is checked with; by default fewer, for time."""
TOOL_KILLS, SERVER_KILLS, CUTS = (50, 10, 10) if EVERY else (20, 4, 4)

KEYS = 6000
SOME_RATE = 40_000
"""Keys a second, so that there is time to hit the middle of moving."""


def took(server: DataServer, state_dir: Path, options: Options) -> float:
    began = time.monotonic()
    migrate(server, state_dir, options)
    return time.monotonic() - began


def take_back_what_has_ended(server: DataServer, state_dir: Path) -> None:
    """So that the next run has keys to move: a run may end in the moment before its process is killed."""
    if all_runs(state_dir)[-1].state().outcome == DONE:
        roll_back(server, state_dir)


def test_the_tool_killed_at_random_points_loses_nothing(
    start_server: StartServer, state_dir: Path, record_property: Callable[[str, object], None]
) -> None:
    server = start_server(keys=KEYS)
    before, whole = placed(server), union(server)
    slowly = Options(assume_yes=True, max_rate=SOME_RATE)
    longest = took(server, state_dir, slowly)
    assert union(server) == whole
    roll_back(server, state_dir)
    chance = random.Random(1)
    killed = moving = 0
    # A moment is chance: there are more kills where too few of them came while keys moved.
    while killed < TOOL_KILLS or moving <= TOOL_KILLS // 5:
        assert killed < 5 * TOOL_KILLS, f"{killed} kills, {moving} of them while keys moved"
        process = migration_process(server.port, state_dir, slowly)
        process.join(chance.uniform(0, longest))
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
            place = session(server.port, state_dir)
            moving += place.unfinished(place.observe()) is not None
            assert union(server) == whole
        else:
            assert process.exitcode == 0
        take_back_what_has_ended(server, state_dir)
    record_property("migrations killed", f"{killed}, {moving} of them while keys moved")
    migrate(server, state_dir)
    assert placed(server) == before
    assert misplaced(server) == []


def test_a_server_killed_again_and_again_loses_nothing(
    start_server: StartServer, state_dir: Path, record_property: Callable[[str, object], None]
) -> None:
    server = start_server("--appendonly", "yes", "--appendfsync", "everysec", keys=KEYS)
    # Replaying commands gives a stream's group an estimate of the entries read, from the first time on.
    server.kill()
    server.start()
    before, whole = placed(server), union(server)
    slowly = Options(assume_yes=True, max_rate=SOME_RATE)
    longest = took(server, state_dir, slowly)
    roll_back(server, state_dir)
    chance = random.Random(2)
    killed = 0
    while killed < SERVER_KILLS:
        process = migration_process(server.port, state_dir, slowly)
        process.join(chance.uniform(0, longest))
        server.kill()
        killed += 1
        process.join(30)
        assert process.exitcode is not None
        server.start()
        assert union(server) == whole
        take_back_what_has_ended(server, state_dir)
    record_property("servers killed under a migration", killed)
    migrate(server, state_dir)
    assert placed(server) == before
    assert misplaced(server) == []


def test_connections_cut_in_mid_window_lose_nothing(start_server: StartServer, state_dir: Path) -> None:
    server = start_server(keys=KEYS)
    before = placed(server)
    chance = random.Random(3)
    cuts = 0
    while cuts < CUTS:
        process = migration_process(server.port, state_dir, Options(assume_yes=True, max_rate=SOME_RATE))
        process.join(chance.uniform(0.1, 0.4))
        if process.exitcode is None:
            server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            cuts += 1
        process.join(30)
        if process.exitcode == 0:
            roll_back(server, state_dir)
    migrate(server, state_dir)
    assert placed(server) == before
    assert misplaced(server) == []


def test_a_replica_promoted_in_between_ends_complete(start_server: StartServer, state_dir: Path) -> None:
    master = start_server(keys=KEYS)
    replica = start_server()
    before = placed(master)
    replica.command("REPLICAOF", "127.0.0.1", master.port)
    deadline = time.monotonic() + 20
    while not in_step(master, replica) and time.monotonic() < deadline:
        time.sleep(0.02)
    process = migration_process(master.port, state_dir, Options(assume_yes=True, max_rate=20_000))
    while master.command("DBSIZE") > KEYS * 2 // 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    master.kill()
    process.join(30)
    replica.command("REPLICAOF", "NO", "ONE")
    assert 0 < replica.command("DBSIZE") < KEYS
    migrate(replica, state_dir)
    assert len(all_runs(state_dir)) == 1
    assert placed(replica) == before
    assert misplaced(replica) == []


def in_step(master: DataServer, replica: DataServer) -> bool:
    try:
        return bool(replica.command("DBSIZE") == master.command("DBSIZE"))
    except redis.RedisError:
        return False


def test_a_second_run_moves_nothing(server: DataServer, state_dir: Path) -> None:
    migrate(server, state_dir)
    changes = server.command("INFO", "persistence")["rdb_changes_since_last_save"]
    migrate(server, state_dir)
    assert server.command("INFO", "persistence")["rdb_changes_since_last_save"] == changes


def test_keys_written_while_it_runs_arrive_too(server: DataServer, state_dir: Path) -> None:
    migrate(server, state_dir)
    seed_again = server.client()
    seed_again.set("fact:late", "x", px=10_000_000)
    migrate(server, state_dir)
    assert server.client(1).get("fact:late") == b"x"
    assert seed_again.exists("fact:late") == 0
