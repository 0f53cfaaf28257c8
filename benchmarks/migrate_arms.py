"""One way of moving the keys of database 0, as a program of its own: what it took, as JSON.

    python -m benchmarks.migrate_arms ARM PORT OTHER_PORT FOLDER

The others than ours route by the same rules, and do nothing else: no backup, no plan, no check.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from autobot_ops.catalog import load_catalogs
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.plan_file import PlanFile
from autobot_ops.migration.routes import make_routes
from autobot_ops.migration.run_folder import new_run
from autobot_ops.migration.scanning import scan_plan
from autobot_ops.rdb.stream import Endpoint

ROOT = Path(__file__).parents[1]
CATALOGS = load_catalogs(ROOT)
ROUTES = make_routes(CATALOGS.databases)
SAMPLE = 20_000
"""Keys that the slow ways are measured on."""

BATCH = 1000
_LUA = """
local found = redis.call('SCAN', ARGV[1], 'COUNT', 500)
local moved = 0
for _, key in ipairs(found[2]) do
  for i = 2, #ARGV, 2 do
    if string.sub(key, 1, #ARGV[i]) == ARGV[i] then
      moved = moved + redis.call('MOVE', key, ARGV[i + 1])
      break
    end
  end
end
return {found[1], moved}
"""

Metrics = dict[str, float]


def target_of(key: bytes) -> int:
    """The number of the database that a key belongs to; 0 where it stays."""
    section = ROUTES.section_of(key)
    return 0 if section is None else ROUTES.sections[section].database_number


def ours(port: int, _other: int, folder: Path) -> Metrics:
    """All of it: safety archive, plan, moves, sweep, verification."""
    from autobot_ops.backup.draft import Origin, Sealing
    from autobot_ops.backup.key_file import make_key_file, parse_recipients
    from autobot_ops.backup.local_place import LocalPlace
    from autobot_ops.backup.plan import backed_up_tiers, plan_backup
    from autobot_ops.backup.taking import take_archives
    from autobot_ops.migration.pace import Pace
    from autobot_ops.migration.planning import PlanMaker, Purpose
    from autobot_ops.migration.running import Run
    from autobot_ops.migration.session import Session
    from autobot_ops.stack.migrate import RedisOnly

    endpoint = Endpoint("127.0.0.1", port)
    session = Session(endpoint, endpoint, folder, ROUTES, CATALOGS.digest)
    keys = make_key_file(folder / "key")
    began = time.perf_counter()
    observed = session.observe()
    run = new_run(folder, datetime.now(UTC))
    maker = PlanMaker(ROUTES, run.plan, Purpose(run.id, observed.identity, CATALOGS.digest))
    tiers = plan_backup(CATALOGS, tiers=backed_up_tiers(CATALOGS))
    with LocalPlace(folder / "archives").lock():
        take_archives(
            [replace(each, postgres=False, complete=False) for each in tiers],
            RedisOnly(session),
            LocalPlace(folder / "archives"),
            Sealing(keys, parse_recipients([keys.recipient])),
            Origin("benchmark", "0", CATALOGS.digest),
            now=lambda: datetime.now(UTC),
            copy=maker.copy,
        )
    planned = time.perf_counter()
    pace = Pace()
    run.write("began", server="", replication_ids=[], keys=0, archive="benchmark", sync=True)
    going = Run(run, ROUTES, endpoint, pace)
    going.move()
    moved = time.perf_counter()
    going.verify(endpoint)
    ended = time.perf_counter()
    if not going.outcome.verified:
        raise SystemExit("not verified")
    seconds = going.outcome.seconds["moving"]
    return {
        "keys": going.outcome.moved,
        "plan and archive [s]": planned - began,
        "moving [s]": seconds,
        "sweep [s]": moved - planned - seconds,
        "verify [s]": ended - moved,
        "total [s]": ended - began,
        "moves [keys/s]": going.outcome.moved / seconds,
    }


def ceiling(port: int, _other: int, folder: Path) -> Metrics:
    """MOVEs from a list that is there already, as many under way as the connection takes."""
    endpoint = Endpoint("127.0.0.1", port)
    with Connection(endpoint) as connection:
        plan = _listed(connection, folder)
        began = time.perf_counter()
        under_way = moved = keys = 0
        for block in plan.read():
            connection.send(b"".join(block.units))
            under_way += block.place.keys
            keys += block.place.keys
            if under_way > 4 * block.place.keys:
                moved += sum(connection.replies(block.place.keys))  # type: ignore[arg-type]
                under_way -= block.place.keys
        moved += sum(connection.replies(under_way))  # type: ignore[arg-type]
        return _rate(moved, time.perf_counter() - began)


def redis_py(port: int, _other: int, _folder: Path) -> Metrics:
    """SCAN and a pipeline of MOVEs, as most programs do it."""
    client: Any = redis.Redis(port=port)
    began = time.perf_counter()
    cursor = moved = 0
    while True:
        cursor, keys = client.scan(cursor, count=BATCH)
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            if number := target_of(key):
                pipeline.move(key, number)
        moved += sum(pipeline.execute())
        if not cursor:
            return _rate(moved, time.perf_counter() - began)


def lua(port: int, _other: int, _folder: Path) -> Metrics:
    """A script that scans and moves; patterns by their literal prefix only."""
    client: Any = redis.Redis(port=port)
    pairs = []
    for pattern, name in ROUTES.router.patterns:
        number = CATALOGS.databases[name].number
        if number and not pattern.startswith("*"):
            pairs += [pattern.rstrip("*"), str(number)]
    script = client.register_script(_LUA)
    began = time.perf_counter()
    cursor, moved = b"0", 0
    while True:
        cursor, count = script(args=[cursor, *pairs])
        moved += count
        if cursor == b"0":
            return _rate(moved, time.perf_counter() - began)


def dump_restore(port: int, other: int, _folder: Path) -> Metrics:
    """DUMP here and RESTORE there, in pipelines of 1,000."""
    source: Any = redis.Redis(port=port)
    target: Any = redis.Redis(port=other)

    def copy(keys: list[bytes]) -> int:
        pipeline = source.pipeline(transaction=False)
        for key in keys:
            pipeline.dump(key)
            pipeline.pexpiretime(key)
        answers = pipeline.execute()
        pipeline = target.pipeline(transaction=False)
        for key, value, expiry in zip(keys, answers[::2], answers[1::2], strict=True):
            pipeline.restore(key, max(0, expiry), value, replace=True, absttl=expiry > 0)
        pipeline.execute()
        source.unlink(*keys)
        return len(keys)

    return _in_batches(source, copy, 200_000)


def migrate_keys(port: int, other: int, _folder: Path) -> Metrics:
    """The server's own MIGRATE … KEYS to another server."""
    source: Any = redis.Redis(port=port)

    def migrate(keys: list[bytes]) -> int:
        source.execute_command("MIGRATE", "127.0.0.1", other, "", 0, 60_000, "KEYS", *keys)
        return len(keys)

    return _in_batches(source, migrate, 200_000)


def one_at_a_time(port: int, _other: int, _folder: Path) -> Metrics:
    """Each key asked for its type, read, written and deleted: strings and hashes only, a sample."""
    source: Any = redis.Redis(port=port)
    targets: dict[int, Any] = {number: redis.Redis(port=port, db=number) for number in range(16)}

    def move(keys: list[bytes]) -> int:
        done = 0
        for key in keys:
            kind, expiry = source.type(key), source.ttl(key)
            target = targets[target_of(key)]
            if kind == b"string":
                target.set(key, source.get(key) or b"")
            elif kind == b"hash":
                target.hset(key, mapping=source.hgetall(key))
            else:
                continue
            if expiry > 0:
                target.expire(key, expiry)
            source.delete(key)
            done += 1
        return done

    return _in_batches(source, move, SAMPLE)


def _in_batches(source: Any, work: Callable[[list[bytes]], int], most: int) -> Metrics:
    began = time.perf_counter()
    moved = 0
    for keys in _batches(source):
        moved += work(keys)
        if moved >= most:
            break
    return _rate(moved, time.perf_counter() - began)


def _batches(source: Any) -> Iterator[list[bytes]]:
    """Keys that are to move, without the huge ones, which these ways freeze the server with."""
    cursor = 0
    while True:
        cursor, keys = source.scan(cursor, count=BATCH)
        chosen = [key for key in keys if target_of(key) and not key.endswith((b":all", b":archive"))]
        if chosen:
            yield chosen
        if not cursor:
            return


def _listed(connection: Connection, folder: Path) -> PlanFile:
    from autobot_ops.migration.plan import ServerIdentity

    identity = ServerIdentity(address="", version="")
    return scan_plan(
        connection, ROUTES, folder / "listed", plan_id="", server=identity, catalog_digest=CATALOGS.digest
    )


def _rate(moved: int, seconds: float) -> Metrics:
    return {"keys": moved, "moving [s]": seconds, "total [s]": seconds, "moves [keys/s]": moved / seconds}


def peak_mebibytes() -> float:
    """The most memory that this program had; getrusage tells of its parent's, if that had more."""
    (line,) = (
        each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


ARMS = {
    "ours": ours,
    "ceiling": ceiling,
    "redis-py pipeline": redis_py,
    "Lua SCAN and MOVE": lua,
    "DUMP and RESTORE": dump_restore,
    "MIGRATE KEYS": migrate_keys,
    "one key at a time": one_at_a_time,
}

if __name__ == "__main__":
    name, port_text, other_text, folder_text = sys.argv[1:]
    metrics = ARMS[name](int(port_text), int(other_text), Path(folder_text))
    print(json.dumps({**metrics, "memory [MiB]": peak_mebibytes()}))
