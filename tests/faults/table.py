"""The table of faults: what was seen, after how many seconds, and what became of the writes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.fault import Outcome

COLUMNS = (
    "fault",
    "seen by, after s",
    "recovered after s",
    "refused",
    "slowest answer s",
    "acknowledged",
    "lost",
)

EXPLANATION = """
Seconds count from the injection; those of the recovery from the mending, where the fault doesn't end with
no hand ("by itself"). Recovered means: every agent's `/readyz` says 200 and every writer is acknowledged
again. Writers add messages (chat), entries (knowledge), documents (rag), files (npu), and strings and list
elements as the Redis user of an agent. What was acknowledged is read back afterwards, lists in their order;
what was refused, or had no answer, may be there or not.
"""


def row(outcome: Outcome) -> tuple[str, ...]:
    """One fault's line."""
    seen = "<br>".join(f"{who}: {_seconds(after)}" for who, after in outcome.seen.items())
    recovered = _seconds(outcome.recovered) + (" by itself" if outcome.by_itself else "")
    return (
        outcome.fault, seen, recovered, str(outcome.refused), _seconds(outcome.slowest_seconds),
        str(outcome.acknowledged), str(len(outcome.lost)),
    )  # fmt: skip


def complete(table: str, outcomes: Sequence[Outcome]) -> str:
    """What goes into the document."""
    acknowledged = sum(outcome.acknowledged for outcome in outcomes)
    lost = sum(len(outcome.lost) for outcome in outcomes)
    total = f"{len(outcomes)} faults, {acknowledged:,} acknowledged writes, {lost} lost."
    return f"{total}\n\n{table}\n\n{EXPLANATION.strip()}"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"
