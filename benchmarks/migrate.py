"""How fast legacy keys get into their databases, and what others notice of it.

Every arm gets the same data, loaded from one RDB file by a server of its own; the ways that need another
server get an empty one. Slow ways are measured on a part and say their rate.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from autobot_ops.demo.legacy_keys import legacy_commands
from autobot_ops.demo.seeding import write_commands
from benchmarks.harness import Arm, Goal, Metrics, Report, installed, measure, publish
from benchmarks.latency import others
from benchmarks.migrate_arms import ARMS
from tests.free_ports import free_port

SIZES = (100_000, 1_000_000, 5_000_000)
START_SECONDS = 300.0
FIVE_MILLION = 5_000_000
FEW_ARMS = ("ours", "ceiling", "redis-py pipeline")
"""At the largest size, where a server takes half a minute to load: those of the goals, and one round."""


@contextmanager
def server(folder: Path, data: Path | None = None) -> Iterator[int]:
    """Its port. With `data` it loads that file first."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        if data is not None:
            (Path(place) / "dump.rdb").symlink_to(data)
        port = free_port()
        process = subprocess.Popen(
            [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--databases", "32", "--save", "",
                "--dir", place, "--logfile", "log", "--repl-diskless-sync-delay", "0",
                "--client-output-buffer-limit", "replica 0 0 0",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with redis.Redis(port=port) as client:
                _wait_until_loaded(client)
            yield port
        finally:
            process.kill()
            process.wait()


def _wait_until_loaded(client: redis.Redis) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.dbsize()
        except redis.RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def make_data(folder: Path, keys: int) -> Path:
    """An RDB file with so many legacy keys and four huge ones."""
    path = folder / f"{keys}.rdb"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as place, server(Path(place)) as port:
            # SAVE of five million keys takes longer than the client's patience.
            client = redis.Redis(port=port, socket_timeout=None)
            now = time.time_ns() // 1_000_000
            write_commands(client, legacy_commands(keys, now=now, big=True), lambda _: None)
            client.save()
            shutil.move(Path(str(client.config_get("dir")["dir"])) / "dump.rdb", path)
    return path


def arm(name: str, folder: Path, data: Path) -> Arm:
    """One way, at one size."""

    def run() -> Metrics:
        with ExitStack() as stack:
            port = stack.enter_context(server(folder, data))
            other = stack.enter_context(server(folder))
            place = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
            with others(port) as waited:
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.migrate_arms", name, str(port), str(other), place],
                    check=True,
                    stdout=subprocess.PIPE,
                )
        metrics: dict[str, float] = json.loads(done.stdout)
        return {**metrics, "others' p99 [ms]": waited.p99}

    return Arm(f"{name}, {data.stem}", run)


def main(sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> None:
    """Measure every way at every size."""
    with tempfile.TemporaryDirectory(prefix="autobot-bench-") as text:
        folder = Path(text)
        rows = []
        for keys in sizes:
            data = make_data(folder, keys)
            large = keys >= FIVE_MILLION
            arms = [arm(name, folder, data) for name in (FEW_ARMS if large else ARMS)]
            rows += measure(arms, rounds=1 if large else rounds, warmup=0)
    report = Report(
        name="migrate" if len(sizes) > 1 else f"migrate-{sizes[0]}",
        data=f"inv demo.seed --big: {', '.join(f'{size:,}' for size in sizes)} keys, and four huge ones",
        rows=rows,
        versions=installed("redis", "hiredis", "zstandard"),
        remarks="Ways over another server are measured on 200,000 keys without the huge ones, one key at a "
        "time on 20,000 strings and hashes: compare their rates.",
    )
    report.goals = [goal for keys in sizes for goal in goals(report, keys)]
    smallest, largest = (report.median(f"ours, {keys}", "total") / keys for keys in (sizes[0], sizes[-1]))
    if len(sizes) > 1:
        report.goals.append(Goal("cost of a key, largest to smallest data", largest / smallest, 1.5))
    publish(report)


def goals(report: Report, keys: int) -> Iterator[Goal]:
    """What the project promises at a size."""
    ours, plain = f"ours, {keys}", f"redis-py pipeline, {keys}"
    yield Goal(
        f"moving, of the ceiling, {keys:,}",
        report.ratio(ours, f"ceiling, {keys}", "moves"),
        0.9,
        at_most=False,
    )
    if keys >= 1_000_000:
        times = report.ratio(ours, plain, "moves")
        yield Goal(f"moving, times redis-py, {keys:,}", times, 2.5, at_most=False)
        yield Goal(f"total, times redis-py, {keys:,}", report.ratio(ours, plain, "total"), 1.5)
    yield Goal(f"others' p99 [ms], {keys:,}", report.median(ours, "others' p99"), 5)
    yield Goal(f"memory [MiB], {keys:,}", report.median(ours, "memory"), 150)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
