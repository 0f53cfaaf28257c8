"""Is everything there? What a second stream has against what the plan says must be there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autobot_ops.migration.plan import MigrationPlan, Part, add_parts
from autobot_ops.migration.routes import SOURCE_NUMBER
from autobot_ops.rdb.fingerprint import Fingerprint, surviving

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


def expected_parts(plan: MigrationPlan) -> Mapping[int, Part]:
    """What each database must hold when all keys of the plan have moved."""
    numbers = {SOURCE_NUMBER, *plan.before, *(section.database_number for section in plan.sections)}
    expected = {}
    for number in sorted(numbers):
        if number == SOURCE_NUMBER:
            expected[number] = plan.stays
        else:
            expected[number] = add_parts((plan.before.get(number, Part()), plan.moving_to(number)))
    return expected


def compare(plan: MigrationPlan, found: Mapping[int, Part], began_at: int) -> list[DatabaseVerdict]:
    """The verdict on each database that the plan knows or that holds keys now.

    `found` is what the second stream has, `began_at` when it began (milliseconds; a stream tells seconds,
    so the second is taken as over).
    """
    at = began_at + 999
    expected = expected_parts(plan)
    verdicts = []
    for number in sorted({*expected, *found}):
        before, after = expected.get(number, Part()), found.get(number, Part())
        verdicts.append(
            DatabaseVerdict(
                number,
                surviving(before.fingerprint, before.expiring, at),
                surviving(after.fingerprint, after.expiring, at),
            )
        )
    return verdicts


def too_late(plan: MigrationPlan, began_at: int) -> bool:
    """Whether so much time has passed that expired keys can't be told any more."""
    return began_at - plan.began_at > A_DAY
