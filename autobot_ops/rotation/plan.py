"""What a rotation has to do, as data. Pure: no Redis, no Docker, no files, no clock, no printing.

All secrets go through the same stages together, so that the time for which old and new hold is waited
for once. The printed plan is the dry run and the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Stage(IntEnum):
    """What happens to a secret, in this order. Not every kind of secret needs every stage."""

    MAKE = 1
    """The new value is on disk and nobody uses it."""
    ADMIT = 2
    """Whoever checks the secret accepts the old and the new value."""
    SWITCH = 3
    """Whoever presents it has the new value."""
    VERIFY = 4
    """The new value is tried."""
    WAIT = 5
    """What was begun with the old value has time to end."""
    RETIRE = 6
    """The old value holds no more."""


@dataclass(frozen=True)
class Observed:
    """One secret to rotate.

    `words` says what each of its stages does; a stage without words is not needed. `begin` is the
    first stage that is still to be done, later than MAKE if a rotation was interrupted. `switched_at`
    is when that one switched (Unix time); None if it didn't.
    """

    service: str
    words: Mapping[Stage, str]
    begin: Stage = Stage.MAKE
    switched_at: float | None = None

    @property
    def overlaps(self) -> bool:
        """Whether the old value holds for a while beside the new one."""
        return Stage.ADMIT in self.words


@dataclass(frozen=True)
class Step:
    """One stage of one secret; of WAIT, the service is empty and `seconds` says for how long."""

    stage: Stage
    service: str
    what: str
    seconds: float = 0

    def __str__(self) -> str:
        return f"{self.service}: {self.what}" if self.service else self.what


def plan_rotation(observed: Sequence[Observed], *, overlap: float, now: float) -> tuple[Step, ...]:
    """Steps for all of the secrets, stage by stage. `overlap` is in seconds."""
    steps = []
    for stage in Stage:
        if stage == Stage.WAIT:
            steps += _wait(observed, overlap, now)
            continue
        for secret in observed:
            if stage >= secret.begin and stage in secret.words:
                again = ", which an earlier run began" if secret.begin == stage > Stage.MAKE else ""
                steps.append(Step(stage, secret.service, secret.words[stage] + again))
    return tuple(steps)


def _wait(observed: Iterable[Observed], overlap: float, now: float) -> list[Step]:
    seconds = max((_left(secret, overlap, now) for secret in observed if secret.overlaps), default=0)
    if not seconds:
        return []
    return [Step(Stage.WAIT, "", f"wait {seconds:.0f} s, while old and new hold", seconds)]


def _left(secret: Observed, overlap: float, now: float) -> float:
    if secret.begin <= Stage.SWITCH or secret.switched_at is None:
        return overlap
    # A clock that was set back doesn't make it longer.
    return min(overlap, max(0.0, secret.switched_at + overlap - now))
