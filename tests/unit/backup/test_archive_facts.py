"""What listings become for retention and schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.backup.archive_facts import NO_DATE, observe_archives
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.retention import Content, plan_retention
from autobot_ops.backup.schedule import due_tiers, plan_schedule
from tests.unit.backup.archives import KEYS, Contents, rdb_of, write_archive
from tests.unit.backup.facts import NOW, TIERS
from tests.unit.backup.manifests import TAKEN_AT


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path / "backups")


def write(place: LocalPlace, contents: Contents | None = None) -> str:
    with place.lock():
        return write_archive(place, contents).id


def test_every_part_is_a_content_and_empty_databases_are_known_as_such(place: LocalPlace) -> None:
    write(place, Contents({"main": rdb_of(0), "sessions": rdb_of(6, keys=0)}))
    (facts,) = observe_archives([place], KEYS).facts
    assert facts.contents == (
        Content("databases/main"),
        Content("databases/sessions", empty=True),
        Content("instance"),
        Content("postgres/autobot"),
    )
    assert (facts.tier, facts.taken_at, facts.place) == ("critical", TAKEN_AT, "local")
    assert facts.verified_at is None
    assert not facts.damage


def test_one_that_is_being_read_is_in_use(place: LocalPlace) -> None:
    archive_id = write(place)
    with place.reading(archive_id):
        assert observe_archives([place], KEYS).facts[0].in_use
    assert not observe_archives([place], KEYS).facts[0].in_use


@pytest.mark.parametrize("text", ["", "{}", "not json"])
def test_one_whose_manifest_cannot_be_read_is_kept_and_its_tier_is_due(place: LocalPlace, text: str) -> None:
    place.path(write(place), "manifest.json").write_text(text)
    facts = observe_archives([place], KEYS).facts
    assert facts[0].contents is None
    (decision,) = plan_retention(facts, TIERS, NOW.replace(year=2030))
    assert not decision.remove
    assert decision.reported
    assert "critical" in due_tiers(plan_schedule(facts, TIERS, TAKEN_AT))


def test_one_that_another_key_sealed_is_kept(place: LocalPlace) -> None:
    write(place)
    others = BackupKeys((type(KEYS.identities[0]).generate(),))
    (decision,) = plan_retention(observe_archives([place], others).facts, TIERS, NOW.replace(year=2030))
    assert not decision.remove
    assert "no key at hand" in decision.why


def test_a_folder_whose_name_is_no_date_is_kept(place: LocalPlace) -> None:
    archive_id = write(place)
    (place.folder / archive_id).rename(place.folder / "20269999T041820.123Z-critical")
    facts = observe_archives([place], KEYS).facts
    assert facts[0].taken_at == NO_DATE
    (decision,) = plan_retention(facts, TIERS, NOW)
    assert not decision.remove
    assert plan_schedule(facts, TIERS, NOW)[0].due
