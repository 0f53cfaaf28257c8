"""Laws of retention that hold for any set of archives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.backup.retention import ArchiveFacts, plan_retention
from tests.unit.backup.facts import ARCHIVES, MOMENTS, NOW, TIERS

Named = tuple[str, str]


def removed(archives: Sequence[ArchiveFacts], now: datetime = NOW) -> set[Named]:
    return {
        (each.archive.place, each.archive.id) for each in plan_retention(archives, TIERS, now) if each.remove
    }


def kept(archives: Sequence[ArchiveFacts], now: datetime = NOW) -> list[ArchiveFacts]:
    gone = removed(archives, now)
    return [each for each in archives if (each.place, each.id) not in gone]


def newest_verified(
    archives: Sequence[ArchiveFacts], now: datetime, *, not_empty: bool = False
) -> dict[Named, ArchiveFacts]:
    """(place, content) → the newest archive up to now that is verified and whole, computed the simple way."""
    newest: dict[Named, ArchiveFacts] = {}
    for archive in sorted(archives, key=lambda each: each.taken_at):
        usable = archive.verified_at is not None and not archive.damage and archive.taken_at <= now
        for content in archive.contents or ():
            if usable and not (not_empty and content.empty):
                newest[archive.place, content.name] = archive
    return newest


@given(ARCHIVES, MOMENTS)
def test_every_archive_gets_one_decision_with_a_reason(archives: list[ArchiveFacts], now: datetime) -> None:
    decisions = plan_retention(archives, TIERS, now)
    assert sorted(each.archive.id for each in decisions) == sorted(each.id for each in archives)
    assert all(each.reasons and each.why for each in decisions)


@given(ARCHIVES, MOMENTS)
def test_never_loses_the_newest_verified_archive_of_anything(
    archives: list[ArchiveFacts], now: datetime
) -> None:
    left = kept(archives, now)
    assert newest_verified(left, now) == newest_verified(archives, now)
    assert newest_verified(left, now, not_empty=True) == newest_verified(archives, now, not_empty=True)


@given(ARCHIVES, MOMENTS)
def test_removes_only_what_newer_verified_archives_that_stay_hold(
    archives: list[ArchiveFacts], now: datetime
) -> None:
    left = {(each.place, each.id): each for each in kept(archives, now)}
    for decision in plan_retention(archives, TIERS, now):
        if not decision.remove:
            continue
        gone = decision.archive
        assert gone.contents is not None
        standing = [left[gone.place, each] for each in decision.covered_by]
        assert all(each.taken_at > gone.taken_at and each.verified_at is not None for each in standing)
        held = {content.name for each in standing for content in each.contents or ()}
        assert held >= {content.name for content in gone.contents}


@given(ARCHIVES, MOMENTS)
def test_keeps_what_is_young_in_use_of_the_future_or_unknown(
    archives: list[ArchiveFacts], now: datetime
) -> None:
    for decision in plan_retention(archives, TIERS, now):
        each = decision.archive
        if each.tier not in TIERS or each.contents is None or each.in_use or each.taken_at > now:
            assert not decision.remove
            continue
        young = now - each.taken_at < timedelta(days=TIERS[each.tier].retention_days)
        assert not (young and decision.remove)


@given(ARCHIVES, MOMENTS)
def test_planning_again_after_applying_removes_nothing_more(
    archives: list[ArchiveFacts], now: datetime
) -> None:
    assert removed(kept(archives, now), now) == set()


@given(ARCHIVES, MOMENTS, st.data())
def test_a_plan_that_was_applied_in_part_is_the_rest_of_the_plan(
    archives: list[ArchiveFacts], now: datetime, data: st.DataObject
) -> None:
    plan = removed(archives, now)
    already = data.draw(st.sets(st.sampled_from(sorted(plan)))) if plan else set()
    left = [each for each in archives if (each.place, each.id) not in already]
    assert removed(left, now) == plan - already


@given(ARCHIVES, MOMENTS, MOMENTS)
def test_a_clock_that_is_behind_removes_nothing_that_the_right_one_would_keep(
    archives: list[ArchiveFacts], one: datetime, other: datetime
) -> None:
    behind, right = sorted((one, other))
    assert removed(archives, behind) <= removed(archives, right)


@given(ARCHIVES, MOMENTS, st.data())
def test_fewer_known_archives_never_remove_more(
    archives: list[ArchiveFacts], now: datetime, data: st.DataObject
) -> None:
    some = data.draw(st.lists(st.sampled_from(archives), unique_by=id)) if archives else []
    assert removed(some, now) <= removed(archives, now)


@given(ARCHIVES, MOMENTS, st.randoms(use_true_random=False))
def test_the_order_of_the_archives_does_not_count(
    archives: list[ArchiveFacts], now: datetime, random: object
) -> None:
    shuffled = list(archives)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan_retention(shuffled, TIERS, now) == plan_retention(archives, TIERS, now)


@given(ARCHIVES, MOMENTS)
def test_each_place_is_judged_by_itself(archives: list[ArchiveFacts], now: datetime) -> None:
    of_places = [[each for each in archives if each.place == place] for place in ("bucket", "local")]
    assert removed(archives, now) == removed(of_places[0], now) | removed(of_places[1], now)
