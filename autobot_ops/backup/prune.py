"""Remove what a retention plan says, in one place, each archive looked at again just before it goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autobot_ops.backup.errors import ArchiveInUse, UnknownArchive
from autobot_ops.backup.retention import ArchiveFacts, Decision, plan_retention
from autobot_ops.catalog.models import Tier
from autobot_ops.errors import OpsError, PartlyDone
from autobot_ops.journal import Journal, operation

VERB = "backup.prune"

Look = Callable[[Collection[str]], Iterable[ArchiveFacts]]
"""Facts of the archives of these ids as they are now; those that aren't there any more are left out."""


class PrunedPlace(Protocol):
    """What pruning needs of a place where archives are kept."""

    @property
    def name(self) -> str:
        """For people and the journal."""

    def lock(self) -> AbstractContextManager[object]:
        """Nobody else writes or removes there meanwhile; raises an OpsError where somebody does."""

    def remove(self, archive_id: str) -> None:
        """Remove one archive. Interrupted, it leaves nothing that looks like an archive."""


class PruneStopped(PartlyDone):
    """Some archives were removed, one couldn't be."""


class PlaceNotPruned(PartlyDone):
    """A place didn't answer, so nothing was decided about its archives."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        told = "; ".join(f"{place}: {reason}" for place, reason in reasons.items())
        super().__init__(
            f"not looked at: {told}", hint="Repeat the command when it answers; the rest needs nothing."
        )


@dataclass(frozen=True)
class Pruned:
    """What was done: ids that were removed, and for each that wasn't after all, why (id → words)."""

    removed: tuple[str, ...]
    spared: Mapping[str, str]


def apply_prune(
    place: PrunedPlace,
    decisions: Iterable[Decision],
    *,
    look: Look,
    tiers: Mapping[str, Tier],
    clock: Callable[[], datetime],
    journal: Journal,
    on_step: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """Remove the archives that the plan removes, the oldest first.

    A plan goes stale: before each step the archive and those that stand for it are looked at again, and the
    same rules must still remove it, judged by these few alone. Each removal is an operation of the journal.
    A crash leaves the rest for the next run. Raises what the place raises, and PruneStopped once something
    was removed.
    """
    removed: list[str] = []
    spared: dict[str, str] = {}
    planned = sorted((each for each in decisions if each.remove), key=lambda each: each.archive.taken_at)
    if not planned:
        return Pruned((), {})
    with place.lock():
        for decision in planned:
            archive_id = decision.archive.id
            fresh = _decide_again(decision, look, tiers, clock())
            if fresh is None or not fresh.remove:
                spared[archive_id] = "it is gone already" if fresh is None else fresh.why
                on_step(f"kept {archive_id}: {spared[archive_id]}")
                continue
            try:
                with operation(journal, VERB, archive=archive_id, place=place.name, why=fresh.why):
                    place.remove(archive_id)
            except (ArchiveInUse, UnknownArchive) as error:
                spared[archive_id] = error.message
                on_step(f"kept: {error.message}")
                continue
            except OpsError as error:
                if not removed:
                    raise
                raise PruneStopped(
                    f"{len(removed)} of {len(planned)} archives are removed, {archive_id} isn't: "
                    f"{error.message}",
                    hint=error.hint,
                ) from error
            removed.append(archive_id)
            on_step(f"removed {archive_id}")
    return Pruned(tuple(removed), spared)


def _decide_again(
    decision: Decision, look: Look, tiers: Mapping[str, Tier], now: datetime
) -> Decision | None:
    """The decision about the same archive as things are now; None if it isn't there any more.

    Fewer archives can only stand for less, so looking at these alone never removes more.
    """
    facts = look({decision.archive.id, *decision.covered_by})
    same_place = [each for each in facts if each.place == decision.archive.place]
    decisions = plan_retention(same_place, tiers, now)
    return next((each for each in decisions if each.archive.id == decision.archive.id), None)
