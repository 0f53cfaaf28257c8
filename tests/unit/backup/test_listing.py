"""Lists leave nothing out; what is chosen for a verification or a copy is what one expects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyrage import x25519

from autobot_ops.backup.errors import UnknownArchive
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.listing import ListedArchive, list_archives, load_manifest, moment_and_tier
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.marks import VerificationMark, read_mark, sha256_of, write_mark
from autobot_ops.stack.archives import choose_archives
from tests.unit.backup.archives import KEYS, write_archive
from tests.unit.backup.manifests import TAKEN_AT

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    place = LocalPlace(tmp_path / "autobot")
    with place.lock():
        for days, tier in ((0, "critical"), (1, "critical"), (2, "optional")):
            write_archive(place, taken_at=TAKEN_AT + timedelta(days=days), tier=tier)
    return place


def test_lists_what_an_archive_holds(place: LocalPlace) -> None:
    rows = list_archives([place], KEYS).archives
    assert [row.id for row in rows] == sorted(place.archive_ids(), reverse=True)
    newest = rows[0]
    assert (newest.tier, newest.taken_at, newest.keys, newest.damage) == (
        "optional", TAKEN_AT + timedelta(days=2), 40, "",
    )  # fmt: skip
    assert newest.stored_bytes == sum(place.files(newest.id).values())
    assert (newest.verified_at, newest.deep) == (None, False)
    assert load_manifest(place, newest.id, KEYS) == newest.manifest


def test_a_mark_shows_until_the_manifest_is_another(place: LocalPlace) -> None:
    archive_id = place.archive_ids()[0]
    text = place.read(archive_id, "manifest.json")
    mark = VerificationMark(archive=archive_id, verified_at=NOW, deep=True, manifest_sha256=sha256_of(text))
    write_mark(place, mark)
    row = list_archives([place], KEYS).archives[-1]
    assert (row.id, row.verified_at, row.deep) == (archive_id, NOW, True)
    other = place.archive_ids()[1]
    place.write_verification(other, place.read(archive_id, "verification.json"))
    assert read_mark(place, other) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff", b'{"sha256": 1}', b"[" * 100_000])
def test_what_is_no_mark_is_none(place: LocalPlace, text: bytes) -> None:
    archive_id = place.archive_ids()[0]
    place.write_verification(archive_id, text)
    assert read_mark(place, archive_id) is None
    assert len(list_archives([place], KEYS).archives) == 3


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"seal": 1}', b"\xff", b"[" * 100_000])
def test_an_unreadable_manifest_is_listed_as_damage(place: LocalPlace, text: bytes) -> None:
    archive_id = place.archive_ids()[0]
    (place.folder / archive_id / "manifest.json").write_bytes(text)
    row = list_archives([place], KEYS).archives[-1]
    assert (row.id, row.tier, row.taken_at) == (archive_id, "critical", TAKEN_AT)
    assert row.damage == f"the manifest of {archive_id} can't be read"
    assert row.manifest is None


def test_a_name_that_is_no_date_is_listed(place: LocalPlace) -> None:
    name = "20269999T999999.999Z-critical"
    (place.folder / place.archive_ids()[0]).rename(place.folder / name)
    row = list_archives([place], KEYS).archives[0]
    assert (row.id, row.taken_at) == (name, None)
    assert "holds the manifest of" in row.damage


def test_archives_of_another_key_are_listed_as_such(place: LocalPlace) -> None:
    other = BackupKeys((x25519.Identity.generate(),))
    assert {row.damage.split(",")[0] for row in list_archives([place], other).archives} == {
        f"no key at hand opens the manifest of {archive_id}" for archive_id in place.archive_ids()
    }
    assert {row.damage for row in list_archives([place], None).archives} == {""}


def test_garbage_is_named(place: LocalPlace) -> None:
    (place.folder / "20260101T000000.000Z-critical.partial").mkdir()
    assert list_archives([place], KEYS).garbage == {"local": ["20260101T000000.000Z-critical.partial"]}


def test_an_archive_of_nowhere_is_refused(place: LocalPlace) -> None:
    with pytest.raises(UnknownArchive):
        load_manifest(place, "20260101T000000.000Z-critical", KEYS)


def listed(day: int, tier: str, place: str = "local") -> ListedArchive:
    name = f"202601{day:02}T000000.000Z-{tier}"
    return ListedArchive(name, place, tier, moment_and_tier(name)[0], 0)


ALL = [
    listed(3, "critical"), listed(2, "critical"), listed(1, "optional"),
    listed(2, "critical", "bucket"), listed(1, "critical", "bucket"),
]  # fmt: skip


def test_without_a_choice_the_newest_of_each_tier_and_place_is_chosen() -> None:
    assert choose_archives(ALL) == [ALL[0], ALL[2], ALL[3]]


def test_chooses_by_name_by_tier_or_all() -> None:
    assert choose_archives(ALL, ids=[ALL[1].id]) == [ALL[1], ALL[3]]
    assert choose_archives(ALL, tiers=["optional"]) == [ALL[2]]
    assert choose_archives(ALL, tiers=["optional"], ids=[ALL[0].id]) == [ALL[0], ALL[2]]
    assert choose_archives(ALL, every=True) == ALL
    with pytest.raises(UnknownArchive, match="nothing"):
        choose_archives(ALL, ids=["nothing"])
