"""When a tier is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.backup.retention import ArchiveFacts
from autobot_ops.backup.schedule import (
    INTERVALS,
    RANDOMIZED_DELAY,
    TOLERANCE,
    TierSchedule,
    due_tiers,
    plan_schedule,
)
from tests.unit.backup.facts import ARCHIVES, MOMENTS, NOW, TIERS, facts

MINUTE = 1 / (24 * 60)


def schedule(*archives: ArchiveFacts, now: datetime = NOW) -> dict[str, TierSchedule]:
    return {each.tier: each for each in plan_schedule(archives, TIERS, now)}


def due(*archives: ArchiveFacts, now: datetime = NOW) -> tuple[str, ...]:
    return due_tiers(plan_schedule(archives, TIERS, now))


def taken(tiers: tuple[str, ...], at: datetime) -> list[ArchiveFacts]:
    """Archives that a backup of these tiers leaves."""
    return [facts((NOW - at) / timedelta(days=1), tier) for tier in tiers]


def test_everything_but_testing_is_due_at_first() -> None:
    assert due() == ("critical", "important", "optional")
    assert schedule()["critical"].next_at == NOW
    assert str(schedule()["critical"]) == "critical: never backed up, due now"


def test_critical_is_daily_important_weekly_optional_monthly() -> None:
    fresh = [facts(0.9), facts(6.9, "important"), facts(29.9, "optional")]
    assert due(*fresh) == ()
    assert due(*fresh, now=NOW + timedelta(days=0.1)) == ("critical", "important", "optional")
    assert str(schedule(*fresh)["optional"]) == (
        "optional: monthly, last 2026-10-24 06:24 UTC, due 2026-11-23 06:24 UTC"
    )


def test_a_daily_timer_that_fires_a_little_earlier_than_yesterday_skips_no_day() -> None:
    fresh = [facts(0, "important"), facts(0, "optional")]
    assert due(facts(1 - MINUTE), *fresh) == ("critical",)
    assert due(facts(1 - 31 * MINUTE), *fresh) == ()


def test_the_delay_of_our_own_timer_never_skips_a_day() -> None:
    assert RANDOMIZED_DELAY < TOLERANCE


def test_partial_and_damaged_and_unreadable_archives_leave_the_tier_due() -> None:
    for archive in (facts(0, complete=False), facts(0, damaged=True), facts(0, contents=None)):
        assert "critical" in due(archive)
    assert schedule(facts(0, damaged=True))["critical"].warnings == (
        "20261123T040000.000Z-critical is damaged, so it doesn't count",
    )


def test_an_unverified_archive_counts_because_taking_another_would_not_verify_it() -> None:
    assert "critical" not in due(facts(0, verified=False))


def test_an_archive_of_the_future_does_not_put_backups_off_and_is_reported() -> None:
    plan = schedule(facts(-3000), facts(2))["critical"]
    assert plan.due
    assert plan.last == facts(2)
    assert plan.warnings == (f"the date of {facts(-3000).id} is in the future, so it doesn't count",)


def test_a_clock_corrected_by_seconds_makes_no_second_backup() -> None:
    assert "critical" not in due(facts(-MINUTE))


def test_a_month_of_downtime_is_made_up_for_once() -> None:
    old = [facts(40, tier) for tier in ("critical", "important", "optional")]
    assert due(*old) == ("critical", "important", "optional")
    assert due(*old, *taken(due(*old), NOW)) == ()


@given(ARCHIVES, MOMENTS)
def test_after_a_backup_of_what_is_due_nothing_is(archives: list[ArchiveFacts], now: datetime) -> None:
    assert due(*archives, *taken(due(*archives, now=now), now), now=now) == ()


@given(ARCHIVES, MOMENTS)
def test_never_testing_and_never_an_unknown_tier(archives: list[ArchiveFacts], now: datetime) -> None:
    assert set(schedule(*archives, now=now)) == {"critical", "important", "optional"}


@given(ARCHIVES, MOMENTS, st.randoms(use_true_random=False))
def test_the_order_of_the_archives_does_not_count(
    archives: list[ArchiveFacts], now: datetime, random: object
) -> None:
    shuffled = list(archives)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert schedule(*shuffled, now=now) == schedule(*archives, now=now)


@given(
    st.lists(st.timedeltas(timedelta(), RANDOMIZED_DELAY), min_size=40, max_size=40),
    st.sets(st.integers(0, 39), max_size=20),
)
def test_a_daily_timer_takes_every_tier_on_time_on_all_days_that_the_machine_ran(
    delays: list[timedelta], days_off: set[int]
) -> None:
    archives: list[ArchiveFacts] = []
    for day, delay in enumerate(delays):
        if day in days_off:
            continue
        now = NOW + timedelta(days=day) + delay
        archives += taken(due(*archives, now=now), now)
        for each in plan_schedule(archives, TIERS, now):
            assert each.last is not None
            assert now - each.last.taken_at < INTERVALS[each.frequency]
    of_critical = [each for each in archives if each.tier == "critical"]
    assert len(of_critical) == len(delays) - len(days_off)


@given(ARCHIVES, MOMENTS, MOMENTS)
def test_what_is_due_stays_due_as_time_goes_on_unless_an_archives_day_comes(
    archives: list[ArchiveFacts], one: datetime, other: datetime
) -> None:
    early, late = sorted((one, other))
    past = [each for each in archives if each.taken_at <= early]
    assert set(due(*past, now=early)) <= set(due(*past, now=late))
