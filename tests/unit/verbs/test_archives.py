"""backup.list, backup.show, backup.verify and backup.key on real archives in a folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import Manifest
from tests.inv_in_process import Inv
from tests.unit.backup.archives import write_archive
from tests.unit.backup.manifests import TAKEN_AT

DAMAGED = 3


@pytest.fixture
def archive(place: LocalPlace, key_file: Path) -> Manifest:
    with place.lock():
        return write_archive(place)


def spoil(place: LocalPlace, archive: Manifest, file: str) -> None:
    """Turn one bit of a file of an archive around."""
    path = place.folder / archive.id / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(data))


def test_without_archives_there_is_nothing_to_list(inv: Inv) -> None:
    ended = inv("backup.list")
    assert (ended.exit_code, ended.output) == (0, "")
    assert "there are no archives" in ended.remarks


def test_lists_what_is_there(inv: Inv, archive: Manifest) -> None:
    (row,) = [line for line in inv("backup.list").output.splitlines() if archive.id in line]
    assert "main, sessions, postgres/autobot" in row
    assert "never" in row
    (listed,) = inv("backup.list", "--json").document["archives"]
    assert listed["databases"] == ["main", "sessions"]
    assert (listed["keys"], listed["verified_at"], listed["damage"]) == (40, None, None)


def test_an_archive_that_was_verified_says_when(inv: Inv, archive: Manifest) -> None:
    assert inv("backup.verify", "--all").exit_code == 0
    assert " s ago" in inv("backup.list").output
    assert inv("backup.list", "--json").document["archives"][0]["verified_at"]
    assert "UTC" in inv("backup.show", archive.id).output.splitlines()[0]


def test_a_folder_that_was_never_finished_is_named(inv: Inv, place: LocalPlace, archive: Manifest) -> None:
    (place.folder / archive.id / "manifest.json").unlink()
    assert inv("backup.list", "--json").document == {
        "archives": [],
        "unreachable": {},
        "garbage": {place.name: [archive.id]},
    }
    assert f"{archive.id} ({place.name}) was never finished" in inv("backup.list").remarks


def test_shows_the_parts_of_an_archive(inv: Inv, archive: Manifest) -> None:
    shown = inv("backup.show", archive.id).output
    for part in archive.parts:
        assert part.file in shown
    assert f"tier {archive.tier}" in shown
    assert "never verified" in shown
    document = inv("backup.show", archive.id, "--json").document
    assert document["manifest"]["id"] == archive.id
    assert len(document["copies"]) == 1


def test_an_archive_that_is_not_there_is_a_mistake(inv: Inv, archive: Manifest) -> None:
    ended = inv("backup.show", "20200101T000000.000Z-critical")
    assert ended.exit_code == 2
    assert "20200101T000000.000Z-critical" in ended.remarks


def test_without_a_choice_the_newest_of_each_tier_is_verified(
    inv: Inv, place: LocalPlace, key_file: Path
) -> None:
    with place.lock():
        for days, tier in ((0, "critical"), (1, "critical"), (0, "important")):
            write_archive(place, taken_at=TAKEN_AT + timedelta(days=days), tier=tier)
    verified = {row["id"] for row in inv("backup.verify", "--json").document["archives"]}
    assert verified == {"20261124T041820.123Z-critical", "20261123T041820.123Z-important"}


def test_a_dry_run_verifies_nothing(inv: Inv, archive: Manifest) -> None:
    assert f"would verify {archive.id}" in inv("--dry", "backup.verify", "--all").output
    assert inv("backup.list", "--json").document["archives"][0]["verified_at"] is None


def test_damage_fails_the_verification_and_takes_the_mark_away(
    inv: Inv, place: LocalPlace, archive: Manifest
) -> None:
    assert inv("backup.verify", "--archive", archive.id).exit_code == 0
    spoil(place, archive, archive.databases[0].file)
    ended = inv("backup.verify", "--archive", archive.id)
    assert ended.exit_code == 5
    assert archive.databases[0].file in ended.remarks
    assert inv("backup.list", "--json").document["archives"][0]["verified_at"] is None


def test_a_part_that_is_missing_shows_in_the_list(inv: Inv, place: LocalPlace, archive: Manifest) -> None:
    missing = archive.databases[0].file
    (place.folder / archive.id / missing).unlink()
    assert inv("backup.list", "--json").document["archives"][0]["damage"] == f"{missing} is missing"
    assert f"failed {missing}" in inv("backup.list").output
    assert f"damaged: {missing}" in inv("backup.show", archive.id).output


def test_several_damaged_archives_are_counted(inv: Inv, place: LocalPlace, key_file: Path) -> None:
    with place.lock():
        written = [write_archive(place, taken_at=TAKEN_AT + timedelta(days=days)) for days in (0, 1, 2)]
    for each in written[:2]:
        spoil(place, each, each.databases[0].file)
    ended = inv("backup.verify", "--all")
    assert ended.exit_code != 0
    assert "2 of 3 archives are damaged" in ended.remarks


def test_a_tier_that_does_not_exist_is_a_mistake(inv: Inv, archive: Manifest) -> None:
    ended = inv("backup.verify", "--tier", "crit")
    assert ended.exit_code == 2
    assert "critical" in ended.remarks


def test_verifying_without_a_key_says_which_file_is_missing(inv: Inv, place: LocalPlace) -> None:
    with place.lock():
        write_archive(place)
    ended = inv("backup.verify", "--all")
    assert ended.exit_code != 0
    assert "there is no backup key" in ended.remarks


def test_the_key_is_shown_by_its_public_half(inv: Inv, key_file: Path) -> None:
    shown = inv("backup.key").output
    assert str(key_file) in shown
    assert "age1" in shown
    assert "AGE-SECRET-KEY" not in shown


def test_a_new_key_stands_in_front_of_the_former_one(inv: Inv, key_file: Path) -> None:
    before = inv("backup.key", "--json").document["recipient"]
    assert inv("--dry", "backup.key", "--rotate", "--json").document["recipient"] == before
    rotated = inv("backup.key", "--rotate", "--json")
    assert rotated.document["recipient"] != before
    assert rotated.document["former_recipients"] == [before]
    assert "keep a copy" in rotated.remarks
    assert f"by a former key in the file: {before}" in inv("backup.key").output
    assert [each["verb"] for each in inv("history", "--json").document["operations"]] == ["backup.key"]


def test_further_recipients_are_shown(inv: Inv, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = inv("backup.key", "--json").document["recipient"]
    monkeypatch.setenv("AUTOBOT_BACKUP_RECIPIENTS", recipient)
    assert f"and by: {recipient}" in inv("backup.key").output
