"""What a load showed, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.load.memory import MIB, Sample, slope
from tests.load.traffic import Answers, percentile
from tests.verification import markdown_table

LATENCY = ("endpoint", "requests", "per second", "p50 ms", "p95 ms", "p99 ms", "slowest ms", "errors")
MEMORY = ("container", "first MiB", "last MiB", "most MiB", "limit MiB", "growth MiB/min")


def render(
    seconds: float,
    warm_up: float,
    rates: Mapping[str, float],
    answers: Mapping[str, Answers],
    memory: Mapping[str, Sequence[Sample]],
    limits: Mapping[str, int],
) -> str:
    """Both tables, with a sentence on how they came about."""
    total = sum(len(each.seconds) for each in answers.values())
    errors = sum(len(each.errors) for each in answers.values())
    method = (
        f"{seconds:g} s after {warm_up:g} s of warm-up; open loop at {sum(rates.values()):g} requests a "
        "second on loopback, the client on the same machine; milliseconds count from when a request was due. "
        f"{total:,} requests, {errors} errors.\n\nMemory is what `docker stats` shows; growth is the median "
        "of the slopes between all pairs of samples."
    )
    return "\n\n".join(
        (
            method,
            markdown_table(LATENCY, [_latency(name, each, seconds) for name, each in answers.items()]),
            markdown_table(MEMORY, [_memory(name, each, limits[name]) for name, each in memory.items()]),
        )
    )


def _latency(name: str, answers: Answers, seconds: float) -> tuple[str, ...]:
    percentiles = [percentile(answers.seconds, percent) * 1000 for percent in (50, 95, 99, 100)]
    return (
        name, str(len(answers.seconds)), f"{len(answers.seconds) / seconds:.1f}",
        *(f"{value:.1f}" for value in percentiles), str(len(answers.errors)),
    )  # fmt: skip


def _memory(name: str, samples: Sequence[Sample], limit: int) -> tuple[str, ...]:
    figures = (samples[0].used, samples[-1].used, max(each.used for each in samples), limit)
    return (name, *(f"{value / MIB:.0f}" for value in figures), f"{slope(samples) / MIB:+.2f}")
