"""What a backup of all tiers costs beside `redis-cli --rdb`, and what it does to other clients.

`nox -s bench -- backup [KEYS …]`, by default 100000 and 1000000. Every arm runs as a program of its own
on one throwaway server, while another client asks 1,000 times a second. Ratios are to `redis-cli --rdb`
of the same round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.backup_arms import ARMS, DATABASES
from benchmarks.harness import Arm, Goal, Metrics, Report, Row, installed, measure, publish, row
from benchmarks.latency import others
from benchmarks.redis_data import fill
from benchmarks.throwaway_redis import throwaway_redis

SIZES = (100_000, 1_000_000)
LIMIT, OURS = "redis-cli --rdb", "ours, committed and verified"
STREAM, PLAIN = "ours, the stream", "ours, the stream, neither compressed nor encrypted"
PACKAGE, PACKAGE_ARM = "redis-dump-load", "redis-dump-load, without streams"
# It uses what later clients dropped.
PACKAGE_AND_NEEDS = (PACKAGE, "redis<5")
# The slow ones run in the first round only, and not beyond so many keys.
SLOW_ARMS = {"temporary replica": 1_000_000, PACKAGE_ARM: 100_000}
MOST_ROUNDS, KEYS_IN_ALL = 3, 1_000_000
FLOOR_MS = 3.0
WALL_RATIO, P99_RATIO, PEAK_MIB, SEALING_RATIO = 1.3, 1.5, 100.0, 1.1


class Bench:
    """One size. `limits` are the figures of `redis-cli --rdb`, round by round."""

    def __init__(self, port: int, keys: int, environment: dict[str, str]) -> None:
        self._port = port
        self._keys = keys
        self._environment = environment
        self._figures: dict[str, list[Metrics]] = {}

    def arms(self) -> list[Arm]:
        """Those that this size and this machine allow."""
        names = [name for name in ARMS if name != PACKAGE_ARM or self._environment]
        names = [name for name in names if self._keys <= SLOW_ARMS.get(name, self._keys)]
        return [Arm(self.label(name), self._runner(name)) for name in names]

    def label(self, name: str) -> str:
        """The arm's name in the report."""
        return f"{self._keys:,} keys, {name}"

    def _runner(self, name: str) -> Callable[[], Metrics]:
        def run() -> Metrics:
            if name in SLOW_ARMS and name in self._figures:
                return {}
            with (
                tempfile.TemporaryDirectory(prefix="autobot-bench-") as folder,
                others(self._port) as waited,
            ):
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.backup_arms", name, str(self._port), folder],
                    check=True, stdout=subprocess.PIPE, env={**os.environ, **self._environment},
                )  # fmt: skip
            metrics = {**json.loads(done.stdout), "others' p99 [ms]": waited.p99}
            self._figures.setdefault(name, []).append(metrics)
            return metrics

        return run

    def ratios(self) -> list[Row]:
        """Each arm's figures as multiples of the limit's, round by round; a p99 counts for 3 ms at least."""
        rows = []
        limits = self._figures[LIMIT]
        for name, figures in self._figures.items():
            pairs = list(zip(figures, limits, strict=False))
            wall = [one["wall [s]"] / other["wall [s]"] for one, other in pairs]
            p99 = [_floored(one) / _floored(other) for one, other in pairs]
            rows.append(row(self.label(name), "wall, to the limit [×]", wall))
            rows.append(row(self.label(name), "others' p99, to the limit [×]", p99))
        return rows

    def goals(self, report: Report) -> list[Goal]:
        """What the rows must keep."""
        ours, stream = self.label(OURS), self.label(STREAM)
        return [
            Goal(f"{ours}: wall, to the limit", report.median(ours, "wall, to the limit"), WALL_RATIO),
            Goal(f"{stream}: wall, to the limit", report.median(stream, "wall, to the limit"), WALL_RATIO),
            Goal(
                f"{ours}: others' p99, to the limit",
                report.median(ours, "others' p99, to the limit"),
                P99_RATIO,
            ),
            Goal(f"{ours}: peak RSS [MiB]", report.median(ours, "peak RSS"), PEAK_MIB),
            Goal(
                f"{ours}: what sealing adds", report.ratio(stream, self.label(PLAIN), "wall"), SEALING_RATIO
            ),
        ]


def _floored(metrics: Metrics) -> float:
    return max(FLOOR_MS, metrics["others' p99 [ms]"])


@contextmanager
def package() -> Iterator[dict[str, str]]:
    """The environment for the arm that needs a package of its own; empty where it can't be installed."""
    with tempfile.TemporaryDirectory(prefix="autobot-bench-") as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        done = subprocess.run(
            [programs / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGE_AND_NEEDS],
            check=False,
        )
        found = {"REDIS_DUMP_LOAD": str(programs / "redis-dump")} if done.returncode == 0 else {}
        if not found:
            print(f"{PACKAGE} can't be installed and is left out", file=sys.stderr)
        yield found


def main() -> None:
    """Measure all sizes, each on a server of its own."""
    sizes = [int(each) for each in sys.argv[1:]] or list(SIZES)
    report = Report(
        name="backup",
        data="60 % strings, hashes, lists, sets, sorted sets, streams with groups in 11 databases; 20 % with "
        "an expiry; and a hash of 1 M fields, a sorted set of 500 k, a list and a set of 300 k",
        rows=[],
        versions={**installed("redis", "zstandard", "pyrage", "xxhash"), "server": server_version()},
        remarks="Wall time is from the first connection to the last fsync, without the interpreter's start. "
        f"Others: 1,000 requests/s, timed from when they were due; ratios with a floor of {FLOOR_MS:.0f} ms.",
    )
    with package() as environment:
        for keys in sizes:
            with throwaway_redis() as port:
                with redis.Redis(port=port) as client:
                    client.config_set("repl-diskless-sync-delay", 0)
                fill(port, keys, list(DATABASES))
                bench = Bench(port, keys, environment)
                rounds = max(1, min(MOST_ROUNDS, KEYS_IN_ALL // keys))
                report.rows += measure(bench.arms(), rounds=rounds, warmup=0)
                report.rows += bench.ratios()
                report.goals += bench.goals(report)
    publish(report)


def server_version() -> str:
    """Of the installed redis-server."""
    shown = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True).stdout
    return next(word.removeprefix("v=") for word in shown.split() if word.startswith("v="))


if __name__ == "__main__":
    main()
