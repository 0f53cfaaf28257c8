"""Plans of retention as people read them; the laws are in test_retention_laws."""

from __future__ import annotations

import pytest

from autobot_ops.backup.retention import ArchiveFacts, Cause, Decision, plan_retention
from tests.unit.backup.facts import NOW, TIERS, facts


def plan(*archives: ArchiveFacts) -> list[Decision]:
    return plan_retention(archives, TIERS, NOW)


def causes(decision: Decision) -> set[Cause]:
    return {reason.cause for reason in decision.reasons}


def test_a_plan_reads_as_its_dry_run() -> None:
    archives = [
        facts(45, contents="main sessions postgres/autobot"),
        facts(40, contents="main dropped"),
        facts(31, contents="main", verified=False),
        facts(2, contents="main sessions postgres/autobot"),
        facts(1, contents="sessions", complete=False),
        facts(-3, contents="main"),
        facts(20, "important", "prompts"),
        facts(15, "important", "prompts", damaged=True),
        facts(3, "important", "prompts", verified=False),
        facts(60, "weekly", "main"),
        facts(50, "optional", contents=None),
        facts(9, "optional", "logs", in_use=True),
        facts(1, "optional", "logs", empty="logs"),
    ]
    assert "\n".join(map(str, plan(*archives))) == (
        "keep   20260924T040000.000Z-weekly: the catalog has no tier 'weekly'\n"
        "keep   20261004T040000.000Z-optional: what it holds can't be read\n"
        "remove 20261009T040000.000Z-critical: older than 30 days, and newer verified ones have all of it: "
        "20261121T040000.000Z-critical, 20261122T040000.000Z-critical\n"
        "keep   20261014T040000.000Z-critical: newest verified of dropped\n"
        "remove 20261023T040000.000Z-critical: older than 30 days, and newer verified ones have all of it: "
        "20261121T040000.000Z-critical\n"
        "keep   20261103T040000.000Z-important: newest verified of prompts\n"
        "keep   20261108T040000.000Z-important: damaged (main is missing); no newer verified one of prompts\n"
        "keep   20261114T040000.000Z-optional: in use; newest verified that isn't empty of logs\n"
        "keep   20261120T040000.000Z-important: 14 days, until 2026-12-04 04:00 UTC; "
        "no newer verified one of prompts\n"
        "keep   20261121T040000.000Z-critical: 30 days, until 2026-12-21 04:00 UTC; "
        "newest verified of main, postgres/autobot\n"
        "keep   20261122T040000.000Z-critical: 30 days, until 2026-12-22 04:00 UTC; "
        "newest verified of sessions\n"
        "keep   20261122T040000.000Z-optional: 7 days, until 2026-11-29 04:00 UTC; newest verified of logs\n"
        "keep   20261126T040000.000Z-critical: its date, 2026-11-26 04:00 UTC, is in the future"
    )


def test_a_covered_archive_expires_at_its_tiers_age_and_not_before() -> None:
    for tier, days in (("critical", 30), ("important", 14), ("optional", 7)):
        before, at, _ = plan(facts(days, tier), facts(days - 0.001, tier), facts(0, tier))
        assert (before.remove, at.remove) == (True, False), tier


def test_the_only_archive_of_a_monthly_tier_outlives_its_seven_days() -> None:
    (decision,) = plan(facts(29, "optional", "logs"))
    assert causes(decision) == {Cause.NEWEST_VERIFIED}


def test_the_backup_after_an_accidental_flush_does_not_expire_the_one_before_it() -> None:
    before, after = plan(
        facts(31, "optional", "logs vectors"), facts(1, "optional", "logs vectors", empty="logs")
    )
    assert causes(before) == {Cause.LAST_NOT_EMPTY}
    assert before.reasons[0].contents == ("logs",)
    assert not after.remove


def test_what_was_empty_before_is_covered_by_an_empty_one() -> None:
    before, _ = plan(facts(31, "optional", "logs", empty="logs"), facts(1, "optional", "logs", empty="logs"))
    assert before.remove


def test_one_uncovered_database_keeps_the_whole_archive() -> None:
    old, _ = plan(facts(90, contents="main dropped_from_the_catalog"), facts(1, contents="main"))
    assert causes(old) == {Cause.NEWEST_VERIFIED}
    assert old.reasons[0].contents == ("dropped_from_the_catalog",)


def test_postgres_and_volumes_are_kept_like_databases() -> None:
    old, _ = plan(facts(90, contents="main postgres/autobot volumes/chat"), facts(1, contents="main"))
    assert old.why == "newest verified of postgres/autobot, volumes/chat"


def test_partial_archives_together_cover_a_complete_one() -> None:
    old, *_ = plan(
        facts(31), facts(2, contents="main", complete=False), facts(1, contents="sessions", complete=False)
    )
    assert old.remove
    assert len(old.covered_by) == 2


def test_a_damaged_archive_goes_when_it_is_old_and_covered_and_is_reported_until_then() -> None:
    old, young, _ = plan(facts(31, damaged=True), facts(29, damaged=True), facts(1))
    assert (old.remove, young.remove) == (True, False)
    assert old.reported
    assert young.reported
    assert "damaged" in young.why


def test_neither_unverified_nor_damaged_nor_future_archives_stand_for_others() -> None:
    for other in (facts(1, verified=False), facts(1, damaged=True), facts(-1)):
        old, _ = plan(facts(90), other)
        assert causes(old) == {Cause.NEWEST_VERIFIED}


def test_an_archive_in_the_bucket_does_not_stand_for_one_on_disk_nor_the_other_way_round() -> None:
    _, old = plan(facts(90), facts(1, place="bucket"))
    assert not old.remove
    old, _ = plan(facts(90, place="bucket"), facts(1))
    assert not old.remove


def test_an_archive_of_this_moment_stands_for_older_ones() -> None:
    old, new = plan(facts(31), facts(0))
    assert old.remove
    assert causes(new) == {Cause.YOUNG, Cause.NEWEST_VERIFIED}


def test_an_archive_that_holds_nothing_needs_none_that_stands_for_it() -> None:
    (decision,) = plan(facts(31, contents=""))
    assert (decision.remove, decision.why) == (True, "older than 30 days")


def test_what_is_in_use_is_kept_for_that_alone() -> None:
    used, _ = plan(facts(31, in_use=True), facts(1))
    assert causes(used) == {Cause.IN_USE}


def test_an_unverified_archive_that_nothing_covers_says_of_what() -> None:
    (alone,) = plan(facts(31, verified=False))
    assert causes(alone) == {Cause.NOT_COVERED}
    assert alone.why == "no newer verified one of main, sessions"
    before, _ = plan(facts(31, verified=False), facts(1, empty="sessions"))
    assert causes(before) == {Cause.NOT_COVERED}
    assert before.why == "no newer verified one that isn't empty of sessions"


def test_a_retention_of_one_day_is_a_day() -> None:
    tiers = {"critical": TIERS["critical"].model_copy(update={"retention_days": 1})}
    old, young = plan_retention([facts(2), facts(0.5)], tiers, NOW)
    assert old.why.startswith("older than 1 day, ")
    assert young.why.startswith("1 day, until ")


@pytest.mark.usefixtures("_in_tokyo")
def test_dates_are_told_in_utc_wherever_they_are_read() -> None:
    (decision,) = plan(facts(-1))
    assert decision.why == "its date, 2026-11-24 04:00 UTC, is in the future"


def test_what_a_person_should_look_at_is_marked() -> None:
    marked = [facts(-1), facts(0, damaged=True), facts(0, contents=None), facts(0, "weekly")]
    assert all(decision.reported for decision in plan(*marked))
    assert not any(
        decision.reported for decision in plan(facts(0), facts(0, verified=False, tier="optional"))
    )
