"""Retention and schedule of a stack's archives: where they are, what is due, what may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.backup.archive_facts import look_again, observe_archives
from autobot_ops.backup.key_file import KEY_FILE, BackupKeys, load_keys
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.places import Place
from autobot_ops.backup.prune import Pruned, apply_prune
from autobot_ops.backup.retention import Decision, plan_retention
from autobot_ops.backup.schedule import TierSchedule, plan_schedule
from autobot_ops.journal import Journal
from autobot_ops.stack.stack import Stack


@dataclass(frozen=True)
class PrunePlan:
    """Decisions about all archives; places that didn't answer, with the reason."""

    decisions: tuple[Decision, ...]
    unreachable: dict[str, str]

    @property
    def removals(self) -> tuple[Decision, ...]:
        """What would go."""
        return tuple(each for each in self.decisions if each.remove)


def archive_places(stack: Stack) -> list[Place]:
    """Where the stack's archives are kept: the local folder, and the bucket if one is set."""
    settings = stack.settings
    places: list[Place] = [LocalPlace(settings.archives_dir)]
    if settings.backup_bucket:
        from autobot_ops.backup.bucket import BucketPlace  # loads an AWS client

        places.append(BucketPlace(settings.backup_bucket, settings.project, settings.archives_dir))
    return places


def stack_schedule(stack: Stack) -> list[TierSchedule]:
    """How things stand with each tier, by the archives of the local folder."""
    observed = observe_archives([LocalPlace(stack.settings.archives_dir)], _keys_if_any(stack))
    return plan_schedule(observed.facts, stack.catalogs.tiers, _now())


def plan_prune(stack: Stack, places: Sequence[Place]) -> PrunePlan:
    """What may go, of all places.

    Raises KeyFileUnusable where something would, and no key could tell written manifests from edited ones.
    """
    observed = observe_archives(places, _keys_if_any(stack))
    plan = PrunePlan(
        tuple(plan_retention(observed.facts, stack.catalogs.tiers, _now())), observed.unreachable
    )
    if plan.removals:
        _keys(stack)
    return plan


def run_prune(
    stack: Stack,
    places: Sequence[Place],
    plan: PrunePlan,
    *,
    journal: Journal,
    on_step: Callable[[str], None],
) -> dict[str, Pruned]:
    """Remove what the plan removes; by place what was done. Raises as apply_prune."""
    keys = _keys(stack)
    done = {}
    for place in places:
        of_place = [each for each in plan.removals if each.archive.place == place.name]
        done[place.name] = apply_prune(
            place,
            of_place,
            look=lambda archive_ids, place=place: look_again(place, keys, archive_ids),  # type: ignore[misc]
            tiers=stack.catalogs.tiers,
            clock=_now,
            journal=journal,
            on_step=on_step,
        )
    return done


def _keys(stack: Stack) -> BackupKeys:
    return load_keys(stack.settings.secrets_dir / KEY_FILE)


def _keys_if_any(stack: Stack) -> BackupKeys | None:
    return _keys(stack) if (stack.settings.secrets_dir / KEY_FILE).exists() else None


def _now() -> datetime:
    return datetime.now(UTC)
