"""Is everything there? What a second stream has against what the plan says must be there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autobot_ops.migration.plan import MigrationPlan, Part, add_parts
from autobot_ops.migration.routes import SOURCE_NUMBER
from autobot_ops.rdb.fingerprint import Fingerprint, Prints

A_DAY = 86_400_000


@dataclass(frozen=True)
class DatabaseVerdict:
    """One database: what had to be there and what is, both without keys that can have expired meanwhile."""

    number: int
    expected: Fingerprint
    actual: Fingerprint

    @property
    def agrees(self) -> bool:
        """Whether the two are the same, key by key."""
        return self.expected == self.actual


def expected_prints(plan: MigrationPlan, *, stored: bool) -> Mapping[int, Prints]:
    """What each database must hold when all keys of the plan have moved: by values, or as they are stored."""
    numbers = {SOURCE_NUMBER, *plan.before, *(section.database_number for section in plan.sections)}
    expected = {}
    for number in sorted(numbers):
        part = plan.stays
        if number != SOURCE_NUMBER:
            part = add_parts((plan.before.get(number, Part()), plan.moving_to(number)))
        expected[number] = (
            Prints(part.stored, part.stored_expiring) if stored else Prints(part.fingerprint, part.expiring)
        )
    return expected


def compare(
    expected: Mapping[int, Prints], found: Mapping[int, Prints], began_at: int
) -> list[DatabaseVerdict]:
    """The verdict on each database that must hold keys, or does.

    `found` is what the second stream has, `began_at` when it began (milliseconds; a stream tells seconds,
    so the second is taken as over).
    """
    at = began_at + 999
    return [
        DatabaseVerdict(
            number,
            expected.get(number, Prints()).surviving(at),
            found.get(number, Prints()).surviving(at),
        )
        for number in sorted({*expected, *found})
    ]


def too_late(plan: MigrationPlan, began_at: int) -> bool:
    """Whether so much time has passed that expired keys can't be told any more."""
    return began_at - plan.began_at > A_DAY
