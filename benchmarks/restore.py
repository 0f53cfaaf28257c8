"""Restoring one database into a live server: keys a second, and how long other clients wait meanwhile.

`nox -s bench -- restore [KEYS [ROUNDS]]`. Arms: every key by RESTORE, sent ahead without limit (what a simple
tool does); large values in pieces (`--fast`); that with a window that follows the others' latency (the
default); and the whole of `inv restore`, with reading the archive before and comparing after.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import redis

from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.payload import restore_payload
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.loading import load
from autobot_ops.restore.pace import MOST_BYTES, Pace
from autobot_ops.restore.pipe import CommandPipe
from autobot_ops.restore.plan import Request
from autobot_ops.restore.restoring import apply_restore, prepare, undo
from autobot_ops.restore.server import RestoreServer
from benchmarks.harness import Arm, Goal, Metrics, Report, measure, publish
from benchmarks.latency import others
from benchmarks.redis_data import fill
from benchmarks.throwaway_redis import throwaway_redis
from tests.component.restore.servers import Figures

NUMBER, STAGING = 6, 16
RATE_NAME, P99_NAME = "keys a second", "others' p99"
RATE, P99 = f"{RATE_NAME} [1/s]", f"{P99_NAME} [ms]"


class Bench:
    """A server with one database, and that database's RDB file."""

    def __init__(self, port: int, keys: int, file: Path) -> None:
        self.endpoint = Endpoint("127.0.0.1", port)
        self.port = port
        self.file = file
        with redis.Redis(port=port) as client:
            client.config_set("repl-diskless-sync-delay", 0)
        fill(port, keys, [NUMBER])
        with file.open("wb") as output, ReplicationStream(self.endpoint) as stream:
            splitter = Splitter(stream, lambda _: output)
            splitter.run()
        self.keys = splitter.summaries[NUMBER].keys
        with file.open("rb") as source:
            reader, found = Reader(source), Fingerprinter(0)
            digests, expiring = None, 0
            for entry in reader:
                digests = digests or KeyDigests(reader.dialect)
                found.add(digests.of(entry), entry.expires_at)
                expiring += entry.expires_at is not None
        figures = Figures("sessions", self.keys, expiring, file.stat().st_size, str(found.fingerprint))
        self.part = ArchivePart("archive", figures, self._open)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        with self.file.open("rb") as source:
            yield source

    def clear(self) -> None:
        """Make staging empty, and wait until its memory is free."""
        with redis.Redis(port=self.port, db=STAGING) as client:
            client.flushdb()

    def measured(self, work: Callable[[], object]) -> Callable[[], Metrics]:
        """An arm's run: the work while others ask."""

        def run() -> Metrics:
            with others(self.port) as latency:
                began, cpu = time.perf_counter(), time.process_time()
                work()
                seconds, computing = time.perf_counter() - began, time.process_time() - cpu
            return {
                RATE: self.keys / seconds,
                P99: latency.p99,
                "others' slowest [ms]": latency.slowest,
                "own cpu [s]": computing,
            }

        return run

    def all_by_restore(self) -> None:
        """RESTORE for every key, whatever its size, without looking at anybody."""
        with CommandPipe(self.endpoint, STAGING, Pace(1 << 20, adaptive=False)) as pipe:
            with self.file.open("rb") as source:
                reader = Reader(source)
                for entry in reader:
                    payload = restore_payload(entry, reader.version)
                    pipe.send((b"RESTORE", entry.key, entry.expires_at or 0, payload, b"ABSTTL"))
            pipe.finish()

    def loading(self, pace: Callable[[], Pace]) -> Callable[[], None]:
        """The loader at some pace."""

        def run() -> None:
            with CommandPipe(self.endpoint, STAGING, pace()) as pipe, self.file.open("rb") as source:
                load(source, pipe, lambda: int(time.time() * 1000))

        return run

    def whole_restore(self) -> None:
        """All steps of `inv restore --database`, but for opening the archive."""
        dial = redis.Redis
        server = RestoreServer(
            lambda number: dial(port=self.port, db=number),
            lambda number: dial(port=self.port, db=number),
            self.endpoint,
            self.endpoint,
            32,
        )
        request = Request("archive", "sessions", "workflows", 7)
        apply_restore(server, prepare(server, self.part, request))
        undo(server, "workflows")


def main(keys: int = 5_000_000, rounds: int = 3) -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory(prefix="autobot-bench-") as folder, throwaway_redis() as port:
        bench = Bench(port, keys, Path(folder) / "database.rdb")
        idle = bench.measured(lambda: time.sleep(5))()
        ways = {
            "all by RESTORE": bench.all_by_restore,
            "in pieces (--fast)": bench.loading(lambda: Pace(MOST_BYTES, adaptive=False)),
            "in pieces, adaptive window (default)": bench.loading(Pace),
            "whole restore (read, load, compare, exchange)": bench.whole_restore,
        }
        arms = [Arm(name, bench.measured(work), bench.clear) for name, work in ways.items()]
        size = bench.file.stat().st_size
        report = Report(
            "restore" if keys == 5_000_000 else f"restore-{keys}",
            f"{bench.keys:,} keys of all types in one database, four of them huge (2.1 M elements), "
            f"{size / 1e6:.0f} MB of RDB; others: 1,000 GET a second",
            measure(arms, rounds=rounds, warmup=0),
            versions={"redis": _version(port)},
            remarks=f"Others' p99 while nothing is restored: {idle[P99]:.2f} ms.",
        )
    default = "in pieces, adaptive window (default)"
    report.goals = [
        Goal("keys a second, default", report.median(default, RATE_NAME), 100_000, at_most=False),
        Goal("others' p99, default [ms]", report.median(default, P99_NAME), 5),
    ]
    publish(report)


def _version(port: int) -> str:
    with redis.Redis(port=port) as client:
        return str(client.info("server")["redis_version"])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
