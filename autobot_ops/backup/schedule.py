"""Which tiers are due for a backup. Pure: no place, no clock, no printing.

A tier is due when its newest complete archive is as old as its frequency says. Nothing else is remembered, so
after any downtime each tier is taken once, and asking twice makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from autobot_ops.backup.retention import ArchiveFacts
from autobot_ops.catalog.models import Frequency, Tier

INTERVALS = {
    Frequency.DAILY: timedelta(days=1),
    Frequency.WEEKLY: timedelta(days=7),
    Frequency.MONTHLY: timedelta(days=30),
}

TOLERANCE = timedelta(minutes=30)
"""How much too early counts as due. A timer's delay varies (cron's with the load, ours by RANDOMIZED_DELAY):
without this a daily timer that fires a minute earlier than yesterday would find nothing due, and the next
chance is a day later. It is also how far ahead of the clock an archive's date may be."""

RANDOMIZED_DELAY = timedelta(minutes=15)
"""Shorter than TOLERANCE, or the timer would skip days."""


@dataclass(frozen=True)
class TierSchedule:
    """How things stand with one tier. `last` is None and `next_at` is now where it was never backed up.

    `warnings` are sentences about archives that don't count.
    """

    tier: str
    frequency: Frequency
    last: ArchiveFacts | None
    next_at: datetime
    due: bool
    warnings: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """In words."""
        if self.last is None:
            return "never backed up"
        return f"{self.frequency}, last {self.last.taken_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def __str__(self) -> str:
        when = "due now" if self.due else f"due {self.next_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.tier}: {self.why}, {when}"


def plan_schedule(
    archives: Iterable[ArchiveFacts], tiers: Mapping[str, Tier], now: datetime
) -> list[TierSchedule]:
    """How things stand with each tier that is ever backed up, in the catalog's order.

    Partial and damaged archives don't count. Nor do those whose date is in the future: an archive of a day
    when the clock said 2099 would put backups off until then. A clock that was set back therefore costs one
    more backup and never one less.
    """
    known = sorted(archives, key=lambda each: (each.taken_at, each.id, each.place))
    return [
        _schedule(name, tier.frequency, [each for each in known if each.tier == name], now)
        for name, tier in tiers.items()
        if tier.frequency in INTERVALS
    ]


def due_tiers(schedules: Iterable[TierSchedule]) -> tuple[str, ...]:
    """Names of the tiers that a backup should take now."""
    return tuple(each.tier for each in schedules if each.due)


def _schedule(tier: str, frequency: Frequency, archives: list[ArchiveFacts], now: datetime) -> TierSchedule:
    usable = [each for each in archives if each.complete and not each.damage and each.contents is not None]
    future = [each for each in usable if each.taken_at > now + TOLERANCE]
    past = [each for each in usable if each not in future]
    last = past[-1] if past else None
    warnings = [f"the date of {each.id} is in the future, so it doesn't count" for each in future]
    newest = archives[-1] if archives else None
    if newest is not None and (newest.damage or newest.contents is None):
        warnings.append(f"{newest.id} is damaged, so it doesn't count")
    next_at = now if last is None else last.taken_at + INTERVALS[frequency]
    return TierSchedule(tier, frequency, last, next_at, now >= next_at - TOLERANCE, tuple(warnings))
