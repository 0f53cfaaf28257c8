"""How long a migration takes, roughly, by its plan. Pure.

The figures are measured, on two cores with others at work: docs/operations/migration.md, "How long it takes".
"""

from __future__ import annotations

from autobot_ops.migration.plan import MigrationPlan

START_SECONDS = 0.3
"""To begin a stream and to commit the safety archives, however few keys there are."""

READ_KEYS_PER_SECOND = 190_000
READ_BYTES_PER_SECOND = 20_000_000
"""Each key of the stream is routed and written down, each byte is digested and sealed into an archive."""

MOVES_PER_SECOND = 250_000
SCANS_PER_SECOND = 400_000
VERIFIED_BYTES_PER_SECOND = 30_000_000


def reading_seconds(plan: MigrationPlan) -> float:
    """Of the plan and the safety archives: the stream has every database of the server."""
    keys = plan.keys + plan.stays.keys + sum(part.keys for part in plan.before.values())
    return START_SECONDS + keys / READ_KEYS_PER_SECOND + plan.stream_bytes / READ_BYTES_PER_SECOND


def moving_seconds(plan: MigrationPlan, max_rate: float | None = None) -> float:
    """Of moving, at `max_rate` keys a second at most, of a sweep over what stays, and of verifying.

    A plan from a scan has no stream, and none is read to verify it.
    """
    rate = min(MOVES_PER_SECOND, max_rate) if max_rate else MOVES_PER_SECOND
    sweep = plan.stays.keys / SCANS_PER_SECOND
    return plan.keys / rate + sweep + plan.stream_bytes / VERIFIED_BYTES_PER_SECOND
