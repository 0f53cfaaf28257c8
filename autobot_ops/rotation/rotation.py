"""Rotate secrets: observe, plan, apply. Prints nothing; what happens is told through a callback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Protocol

from autobot_ops.errors import ConfigurationError, OpsError, PartlyDone, RefusedForSafety
from autobot_ops.rotation.plan import Observed, Stage, Step, plan_rotation

OVERLAP_SECONDS = 30.0
"""A connection is opened within two seconds, retries included within ten."""

LONGEST_OVERLAP_SECONDS = 86400.0


class RotationStopped(PartlyDone):
    """A step failed. What holds is consistent, and the next run goes on from there."""


class InvalidOverlap(ConfigurationError):
    """An overlap that is negative or longer than a day."""


class RotationRunning(RefusedForSafety):
    """Somebody else rotates secrets of this stack."""


class Rotation(Protocol):
    """One secret that can be rotated. Every stage may be repeated: an interrupted one is."""

    @property
    def service(self) -> str:
        """Its name on the command line."""

    def observe(self) -> Observed:
        """How far a rotation has come; changes nothing."""

    def apply(self, stage: Stage) -> None:
        """Do what `observe().words[stage]` says."""


def checked_overlap(seconds: float) -> float:
    """The overlap, if it is one. Raises InvalidOverlap."""
    if not 0 <= seconds <= LONGEST_OVERLAP_SECONDS:
        raise InvalidOverlap(
            f"an overlap of {seconds:g} s is not possible",
            hint=f"Give seconds from 0 to {LONGEST_OVERLAP_SECONDS:.0f}; {OVERLAP_SECONDS:.0f} is enough.",
        )
    return seconds


def plan(rotations: Iterable[Rotation], *, overlap: float) -> tuple[Step, ...]:
    """Look at the secrets and plan; changes nothing. `overlap` is in seconds."""
    return plan_rotation([each.observe() for each in rotations], overlap=overlap, now=time.time())


def apply(
    rotations: Sequence[Rotation],
    steps: Sequence[Step],
    *,
    on_step: Callable[[Step], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Take the steps. Raises RotationStopped at the first that fails; `pause` gets seconds."""
    by_service: Mapping[str, Rotation] = {each.service: each for each in rotations}
    for step in steps:
        on_step(step)
        if step.stage == Stage.WAIT:
            pause(step.seconds)
            continue
        try:
            by_service[step.service].apply(step.stage)
        except OpsError as error:
            raise RotationStopped(
                f"stopped at '{step}': {error.message}",
                hint=f"{error.hint} Old and new secrets hold; inv secrets.rotate {step.service} goes on.",
            ) from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of this stack's rotations. A crash leaves no lock. Raises RotationRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "rotation.lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise RotationRunning(
                "another rotation of this stack's secrets is running", hint="Wait until it has ended."
            ) from error
        yield
