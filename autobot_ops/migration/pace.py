"""How many keys a window has and how many windows are under way, judged by what others wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from autobot_ops.migration.plan_file import UNIT_KEYS

LEAST_UNITS, MOST_UNITS = 100 // UNIT_KEYS, 250 // UNIT_KEYS
SLOW_SECONDS, QUICK_SECONDS = 0.003, 0.0015
MOST_SAMPLES = 200_000


@dataclass
class Pace:
    """Windows of 100 to 250 keys, two under way; a single one while the least is still too much.

    `most_rate` (keys a second) holds the whole back. `waits` are the seconds that others waited.
    """

    most_rate: float | None = None
    units: int = MOST_UNITS
    in_flight: int = 2
    waits: list[float] = field(default_factory=list)
    latest: float = 0.0

    def observe(self, seconds: float) -> None:
        """Somebody else waited so long for an answer."""
        self.latest = seconds
        if len(self.waits) < MOST_SAMPLES:
            self.waits.append(seconds)
        if seconds > SLOW_SECONDS:
            if self.units == LEAST_UNITS:
                self.in_flight = 1
            self.units = max(LEAST_UNITS, self.units // 2)
        elif seconds < QUICK_SECONDS:
            self.units = min(MOST_UNITS, self.units + 1)
            self.in_flight = 2

    def ahead(self, moved: int, seconds: float) -> float:
        """How long to wait before the next window, after so many keys in so many seconds."""
        return max(0.0, moved / self.most_rate - seconds) if self.most_rate else 0.0

    def percentile(self, share: float) -> float:
        """What others waited at most in this share of the cases; 0 where nobody was asked."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
