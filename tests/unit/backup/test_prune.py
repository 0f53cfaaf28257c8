"""Pruning a real folder of archives, while others change it."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.archive_facts import look_again, observe_archives
from autobot_ops.backup.errors import BackupRunning, StorageFailed
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.marks import VerificationMark, sha256_of, write_mark
from autobot_ops.backup.prune import Pruned, PruneStopped, apply_prune
from autobot_ops.backup.retention import ArchiveFacts, Decision, plan_retention
from autobot_ops.history import PastOperation, read_history
from autobot_ops.journal import open_journal
from tests.unit.backup.archives import KEYS, Contents, rdb_of, write_archive
from tests.unit.backup.facts import NOW, TIERS

SMALL = Contents({"main": rdb_of(0)}, instance=None, dump=None)


class Archives:
    """A folder of archives whose newest are 1 and 2 days old, older ones 40 days and more."""

    def __init__(self, folder: Path) -> None:
        self.place = LocalPlace(folder / "backups")
        self.journal = open_journal(folder)
        with self.place.lock():
            self.ids = [self.write(days) for days in (60, 50, 40, 2, 1)]

    def write(self, days_old: float, *, verified: bool = True) -> str:
        made = write_archive(self.place, SMALL, taken_at=NOW - timedelta(days=days_old))
        if verified:
            digest = sha256_of(self.place.read(made.id, "manifest.json"))
            mark = VerificationMark(archive=made.id, verified_at=NOW, deep=False, manifest_sha256=digest)
            write_mark(self.place, mark)
        return made.id

    def look(self, archive_ids: Collection[str]) -> list[ArchiveFacts]:
        return look_again(self.place, KEYS, archive_ids)

    def plan(self) -> list[Decision]:
        observed = observe_archives([self.place], KEYS)
        assert not observed.unreachable
        return plan_retention(observed.facts, TIERS, NOW)

    def apply(self, plan: list[Decision], now: datetime = NOW) -> Pruned:
        arguments = {"look": self.look, "tiers": TIERS, "clock": lambda: now, "journal": self.journal}
        return apply_prune(self.place, plan, **arguments)  # type: ignore[arg-type]

    def history(self) -> tuple[PastOperation, ...]:
        return read_history(self.journal.path, is_running=lambda _: False, limit=99).operations


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    return Archives(tmp_path)


def test_removes_what_the_plan_says_the_oldest_first_and_journals_each(archives: Archives) -> None:
    done = archives.apply(archives.plan())
    assert done == Pruned(tuple(archives.ids[:3]), {})
    assert archives.place.archive_ids() == archives.ids[3:]
    assert archives.place.garbage() == []
    past = archives.history()
    assert [each.facts["archive"] for each in past] == archives.ids[2::-1]
    assert {(each.verb, each.outcome, each.facts["place"]) for each in past} == {
        ("backup.prune", "done", "local")
    }
    assert past[0].facts["why"].startswith("older than 30 days")


def test_pruning_again_removes_nothing(archives: Archives) -> None:
    archives.apply(archives.plan())
    assert not any(decision.remove for decision in archives.plan())
    assert archives.apply(archives.plan()) == Pruned((), {})


def test_keeps_what_lost_its_cover_since_it_was_planned(archives: Archives) -> None:
    plan = archives.plan()
    for each in archives.ids[3:]:
        archives.place.remove(each)
    done = archives.apply(plan)
    assert done.removed == ()
    assert archives.place.archive_ids() == archives.ids[:3]
    assert set(done.spared) == set(archives.ids[:3])
    assert done.spared[archives.ids[0]] == "newest verified of main"


def test_keeps_what_is_covered_by_one_that_was_damaged_since(archives: Archives) -> None:
    plan = archives.plan()
    archives.place.path(archives.ids[-1], "databases/main.rdb.zst.age").unlink()
    assert archives.apply(plan).removed == ()


def test_keeps_what_is_covered_by_one_whose_manifest_was_edited_since(archives: Archives) -> None:
    plan = archives.plan()
    manifest = archives.place.path(archives.ids[-1], "manifest.json")
    document = json.loads(manifest.read_text())
    document["tool_version"] = "9"
    manifest.write_text(json.dumps(document))
    assert archives.apply(plan).removed == ()


def test_keeps_all_when_the_clock_was_set_back_since(archives: Archives) -> None:
    done = archives.apply(archives.plan(), now=datetime(2020, 1, 1, tzinfo=UTC))
    assert done.removed == ()
    assert "in the future" in done.spared[archives.ids[0]]


def test_keeps_one_that_a_restore_began_to_read_and_removes_the_others(archives: Archives) -> None:
    plan = archives.plan()
    with archives.place.reading(archives.ids[1]):
        done = archives.apply(plan)
    assert done.removed == (archives.ids[0], archives.ids[2])
    assert done.spared[archives.ids[1]] == "in use"


def test_one_that_is_read_between_the_look_and_the_removal_is_kept(archives: Archives) -> None:
    with ExitStack() as reading:
        looked: list[str] = []

        def look(archive_ids: Collection[str]) -> list[ArchiveFacts]:
            found = archives.look(archive_ids)
            if not looked:
                reading.enter_context(archives.place.reading(archives.ids[0]))
            looked.extend(archive_ids)
            return found

        done = apply_prune(
            archives.place,
            archives.plan(),
            look=look,
            tiers=TIERS,
            clock=lambda: NOW,
            journal=archives.journal,
        )
    assert done.removed == tuple(archives.ids[1:3])
    assert "is being read" in done.spared[archives.ids[0]]


def test_what_somebody_else_removed_is_gone_already(archives: Archives) -> None:
    plan = archives.plan()
    archives.place.remove(archives.ids[0])
    done = archives.apply(plan)
    assert done.spared == {archives.ids[0]: "it is gone already"}
    assert done.removed == tuple(archives.ids[1:3])


def test_refuses_while_a_backup_writes_there(archives: Archives) -> None:
    plan = archives.plan()
    with archives.place.lock(), pytest.raises(BackupRunning):
        archives.apply(plan)
    assert archives.place.archive_ids() == archives.ids


def test_a_plan_without_removals_needs_no_lock(archives: Archives) -> None:
    archives.apply(archives.plan())
    with archives.place.lock():
        assert archives.apply(archives.plan()) == Pruned((), {})


class FailingPlace(LocalPlace):
    """Fails after so many removals."""

    left = 1

    def remove(self, archive_id: str) -> None:
        if not self.left:
            raise StorageFailed("the place doesn't answer", hint="Look at it.")
        self.left -= 1
        super().remove(archive_id)


def test_a_place_that_fails_midway_says_how_far_it_came(archives: Archives) -> None:
    archives.place = FailingPlace(archives.place.folder)
    with pytest.raises(PruneStopped, match="1 of 3 archives are removed"):
        archives.apply(archives.plan())
    assert archives.place.archive_ids() == archives.ids[1:]
    assert [each.outcome for each in archives.history()] == ["failed", "done"]
    with pytest.raises(StorageFailed):
        archives.apply(archives.plan())


def test_looking_again_at_one_that_is_gone_finds_the_others(archives: Archives) -> None:
    found = archives.look({archives.ids[0], "20200101T000000.000Z-critical", "20269999T000000.000Z-critical"})
    assert [each.id for each in found] == archives.ids[:1]
