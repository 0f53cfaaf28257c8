"""backup.prune and backup.schedule on real archives in a folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.local_place import LocalPlace
from tests.inv_in_process import Inv
from tests.unit.backup.archives import write_archive
from tests.unit.backup.manifests import TAKEN_AT
from tests.unit.verbs.conftest import PROJECT

LONG_AGO = TAKEN_AT - timedelta(days=3000)


@pytest.fixture
def archives(inv: Inv, place: LocalPlace, key_file: Path) -> list[str]:
    """Three of one tier, all older than any retention, all verified."""
    with place.lock():
        written = [write_archive(place, taken_at=LONG_AGO + timedelta(days=days)).id for days in range(3)]
    assert inv("backup.verify", "--all").exit_code == 0
    return written


def test_nothing_is_there_to_prune(inv: Inv) -> None:
    ended = inv("backup.prune")
    assert ended.exit_code == 0
    assert "there are no archives" in ended.remarks
    assert "nothing is to be removed" in ended.remarks


def test_a_dry_run_says_why_and_removes_nothing(inv: Inv, place: LocalPlace, archives: list[str]) -> None:
    rows = {
        each: line
        for line in inv("backup.prune", "--dry-run").output.splitlines()
        for each in archives
        if each in line
    }
    assert [" remove " in rows[each] for each in archives] == [True, True, False]
    assert inv("--dry", "backup.prune").exit_code == 0
    assert place.archive_ids() == archives


def test_without_a_yes_nothing_goes(inv: Inv, place: LocalPlace, archives: list[str]) -> None:
    ended = inv("backup.prune")
    assert ended.exit_code == 5
    assert "remove 2 archives for good?" in ended.remarks
    assert place.archive_ids() == archives


def test_the_newest_verified_archive_stays(inv: Inv, place: LocalPlace, archives: list[str]) -> None:
    document = inv("backup.prune", "--yes", "--json").document
    assert place.archive_ids() == archives[2:]
    assert document["dry_run"] is False
    assert {each["id"] for each in document["archives"]} == set(archives)
    assert list(document["done"]) == [place.name]


def test_removing_needs_the_key_that_tells_written_manifests_from_edited_ones(
    inv: Inv, place: LocalPlace, archives: list[str], key_file: Path
) -> None:
    key_file.unlink()
    ended = inv("backup.prune", "--yes")
    assert "--yes" not in ended.output
    assert place.archive_ids() == archives


def test_the_schedule_says_what_is_due_and_prints_timers(inv: Inv, archives: list[str]) -> None:
    ended = inv("backup.schedule", "--at", "04:30")
    assert ended.exit_code == 0
    assert "[Timer]" in ended.output
    assert "04:30" in ended.output
    assert "critical" in ended.remarks
    document = inv("backup.schedule", "--json").document
    tiers = {each["tier"]: each for each in document["tiers"]}
    assert tiers["critical"]["due"]
    assert tiers["critical"]["last"] == archives[-1]
    assert tiers["optional"]["last"] is None


def test_lines_for_a_crontab_carry_the_project(inv: Inv) -> None:
    assert f"AUTOBOT_PROJECT={PROJECT}" in inv("backup.schedule", "--cron").output


def test_units_are_written_into_a_folder(inv: Inv, tmp_path: Path) -> None:
    ended = inv("backup.schedule", "--into", str(tmp_path), "--user", "operator")
    written = sorted(path.name for path in tmp_path.glob(f"*{PROJECT}*"))
    assert {Path(name).suffix for name in written} == {".service", ".timer"}
    assert all("User=operator" in (tmp_path / name).read_text() for name in written if "service" in name)
    assert "systemctl" in ended.remarks


def test_a_folder_that_is_not_there_is_a_mistake(inv: Inv, tmp_path: Path) -> None:
    ended = inv("backup.schedule", "--into", str(tmp_path / "gone"))
    assert ended.exit_code == 2
    assert "can't be written" in ended.remarks


def test_a_time_that_is_none_is_a_mistake(inv: Inv) -> None:
    assert inv("backup.schedule", "--at", "25:00").exit_code == 2
