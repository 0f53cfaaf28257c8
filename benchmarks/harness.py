"""The one harness: arms take turns in one run, results are medians with their spread, goals are checked.

A benchmark is a module with a `main()` that builds arms, calls `measure` and hands a `Report` to
`publish`, which writes `benchmarks/results/NAME.json` and `NAME.md`. Absolute figures belong to
the machine that is named in the file; quote ratios of arms from one run.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

Metrics = Mapping[str, float]
"""Metric with its unit in brackets → value: `{"wall [s]": 1.25}`."""


@dataclass(frozen=True)
class Arm:
    """One way of doing the work. `run` does it once; `prepare` is not measured."""

    name: str
    run: Callable[[], Metrics]
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Row:
    """One metric of one arm over all rounds."""

    arm: str
    metric: str
    unit: str
    median: float
    min: float
    max: float
    runs: int


@dataclass(frozen=True)
class Goal:
    """A limit that a figure must keep; `at_most` says which side of the limit is good."""

    name: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def holds(self) -> bool:
        """Whether the value is on the good side of the limit, or on it."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass
class Report:
    """What is published of one benchmark."""

    name: str
    data: str
    rows: list[Row]
    goals: list[Goal] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    remarks: str = ""

    def median(self, arm: str, metric: str) -> float:
        """A median by arm and metric; raises KeyError if it was not measured."""
        for row in self.rows:
            if (row.arm, row.metric) == (arm, metric):
                return row.median
        raise KeyError((arm, metric))

    def ratio(self, arm: str, to: str, metric: str) -> float:
        """One arm's median as a multiple of another's."""
        return self.median(arm, metric) / self.median(to, metric)


def wall_time(work: Callable[[], object]) -> Callable[[], Metrics]:
    """An arm's `run` that measures nothing but the seconds that some work takes."""

    def run() -> Metrics:
        started = time.perf_counter()
        work()
        return {"wall [s]": time.perf_counter() - started}

    return run


def command(*argv: str, env: Mapping[str, str] | None = None) -> Callable[[], object]:
    """Work that is a whole command; its output is thrown away, a failure ends the benchmark."""

    def work() -> None:
        subprocess.run(
            argv,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )

    return work


def measure(arms: Sequence[Arm], *, rounds: int, warmup: int = 1) -> list[Row]:
    """Run the arms in turn, A B C A B C …, `rounds` times after `warmup` rounds that don't count.

    Every other round goes backwards, so that what one arm leaves behind (caches, heat) does not
    always meet the same neighbour.
    """
    samples: dict[tuple[str, str], list[float]] = {}
    for round_number in range(-warmup, rounds):
        for arm in arms if round_number % 2 == 0 else list(reversed(arms)):
            arm.prepare()
            metrics = arm.run()
            print(f"round {round_number}  {arm.name}: {_shown(metrics)}", file=sys.stderr, flush=True)
            if round_number >= 0:
                for metric, value in metrics.items():
                    samples.setdefault((arm.name, metric), []).append(value)
    return [row(arm, metric, values) for (arm, metric), values in samples.items()]


def row(arm: str, metric: str, values: Sequence[float]) -> Row:
    """Summarise one metric of one arm; the unit is what the metric's name has in brackets."""
    name, _, unit = metric.partition(" [")
    return Row(arm, name, unit.rstrip("]"), statistics.median(values), min(values), max(values), len(values))


def publish(report: Report) -> None:
    """Write both files, print the Markdown, and end with exit code 1 if a goal doesn't hold."""
    document = {
        "name": report.name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **report.versions},
        "data": report.data,
        "remarks": report.remarks,
        "rows": [asdict(each) for each in report.rows],
        "goals": [{**asdict(each), "holds": each.holds} for each in report.goals],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{report.name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    text = render_markdown(document)
    (RESULTS / f"{report.name}.md").write_text(text)
    print(text)
    if not all(goal.holds for goal in report.goals):
        sys.exit(1)


def machine() -> dict[str, object]:
    """What the figures belong to, without anything that identifies the machine."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30),
        "architecture": platform.machine(),
        "kernel": platform.release().split("-")[0],
    }


def installed(*packages: str) -> dict[str, str]:
    """Versions of Python packages, for a report."""
    return {package: version(package) for package in packages}


def render_markdown(document: Mapping[str, object]) -> str:
    """The same result for a person. Pure."""
    rows, goals = document["rows"], document["goals"]
    assert isinstance(rows, list)  # noqa: S101 - narrows the type
    assert isinstance(goals, list)  # noqa: S101 - narrows the type
    machine_text = ", ".join(f"{key} {value}" for key, value in _items(document["machine"]))
    versions_text = ", ".join(f"{key} {value}" for key, value in _items(document["versions"]))
    lines = [
        f"# Benchmark `{document['name']}`",
        "",
        f"{document['date']}; {machine_text}; {versions_text}.",
        f"Data: {document['data']}.",
        *([f"{document['remarks']}"] if document["remarks"] else []),
        "",
        "| arm | metric | median | min | max | runs |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row['arm']} | {row['metric']} [{row['unit']}] | {row['median']:.4g} | {row['min']:.4g} "
            f"| {row['max']:.4g} | {row['runs']} |"
            for row in rows
        ),
    ]
    if goals:
        lines += ["", "| goal | value | limit | holds |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {goal['name']} | {goal['value']:.4g} | {'≤' if goal['at_most'] else '≥'} {goal['limit']:.4g} "
            f"| {'yes' if goal['holds'] else '**no**'} |"
            for goal in goals
        ]
    return "\n".join(lines) + "\n"


def _items(value: object) -> list[tuple[object, object]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _shown(metrics: Metrics) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
