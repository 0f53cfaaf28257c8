"""What a plan says besides its table."""

from __future__ import annotations

from autobot_ops.migration.plan import MigrationPlan, Part, SectionPlan, ServerIdentity
from autobot_ops.migration.report import plan_remarks


def plan_of(keys: int, stays: int = 0, stream_bytes: int = 0) -> MigrationPlan:
    return MigrationPlan(
        id="20260101T000000.000Z",
        origin="stream",
        server=ServerIdentity(address="127.0.0.1:6379", version="7.0.15"),
        catalog_digest="",
        routes=(),
        began_at=0,
        stream_bytes=stream_bytes,
        sections=(SectionPlan(database_name="knowledge", database_number=1, keys=keys),),
        stays=Part(keys=stays),
    )


def test_expects_a_whole_migration_and_not_its_moving_alone() -> None:
    assert plan_remarks(plan_of(869_901, 130_099, 145_075_463)) == [
        "plan and safety archive take about 13 s, moving and verifying 9 s more"
    ]


def test_a_rate_that_holds_back_is_counted_and_named() -> None:
    assert plan_remarks(plan_of(869_901, 130_099, 145_075_463), 100) == [
        "plan and safety archive take about 13 s, moving and verifying 8,704 s more with --max-rate 100"
    ]


def test_a_few_keys_take_a_second() -> None:
    assert plan_remarks(plan_of(1)) == [
        "plan and safety archive take about 1 s, moving and verifying 1 s more"
    ]


def test_nothing_to_move_takes_no_time() -> None:
    assert plan_remarks(plan_of(0, 500)) == ["nothing is to be moved"]
