"""A folder of archives: what is listed, what is garbage, who may write, what is in use."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from autobot_ops.backup.archive_writer import ArchiveWriter
from autobot_ops.backup.errors import (
    ArchiveExists,
    ArchiveInUse,
    BackupRunning,
    DamagedPart,
    StorageFailed,
    UnknownArchive,
)
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import parse_manifest
from tests.unit.backup.archives import KEYS, write_archive
from tests.unit.backup.manifests import TAKEN_AT, manifest


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path / "backups" / "autobot")


def everything_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_lists_archives_by_age(place: LocalPlace) -> None:
    with place.lock():
        ids = [
            write_archive(place, taken_at=TAKEN_AT + timedelta(days=days), tier=tier).id
            for days, tier in ((2, "critical"), (0, "important"), (1, "optional"))
        ]
    assert place.archive_ids() == [ids[1], ids[2], ids[0]]
    assert place.garbage() == []
    written = parse_manifest(place.read(ids[0], "manifest.json"), KEYS.seal_keys, name=ids[0])
    assert {part.file: part.stored_bytes for part in written.parts}.items() <= place.files(ids[0]).items()


def test_everything_is_for_its_owner_alone(place: LocalPlace) -> None:
    before = os.umask(0)
    try:
        with place.lock():
            write_archive(place)
    finally:
        os.umask(before)
    modes = {path.is_dir(): set[int]() for path in place.folder.rglob("*")}
    for path in (place.folder, *place.folder.rglob("*")):
        modes[path.is_dir()].add(path.stat().st_mode & 0o777)
    assert modes == {True: {0o700}, False: {0o600}}


def test_a_missing_folder_holds_nothing(place: LocalPlace) -> None:
    assert place.archive_ids() == place.garbage() == place.clear_garbage() == []


def write_half(place: LocalPlace, and_then: Callable[[ArchiveWriter], object]) -> None:
    with place.lock(), ArchiveWriter(place, manifest().id) as writer:
        writer.open_part("databases/main.rdb.zst.age").write(b"half")
        and_then(writer)


def test_an_archive_given_up_leaves_nothing(place: LocalPlace) -> None:
    def interrupt(_: ArchiveWriter) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half(place, interrupt)
    assert everything_below(place.folder) == [".lock"]


def test_a_manifest_of_other_parts_is_not_committed(place: LocalPlace) -> None:
    with pytest.raises(ValueError, match="parts"):
        write_half(place, lambda writer: writer.commit(manifest(), KEYS.seal_key))
    assert everything_below(place.folder) == [".lock"]


def test_never_writes_over_an_archive(place: LocalPlace) -> None:
    with place.lock():
        archive_id = write_archive(place).id
        with pytest.raises(ArchiveExists, match=archive_id):
            ArchiveWriter(place, archive_id)
    assert place.archive_ids() == [archive_id]


def test_clears_what_was_never_finished_and_nothing_else(place: LocalPlace) -> None:
    with place.lock():
        archive_id = write_archive(place).id
        (place.folder / "20260101T000000.000Z-critical.partial/databases").mkdir(parents=True)
        (place.folder / "20260101T000000.000Z-critical.partial/manifest.json").touch()
        (place.folder / "20260102T000000.000Z-critical").mkdir()
        (place.folder / "somebody's").mkdir()
        (place.folder / "notes.partial").mkdir()
        garbage = ["20260101T000000.000Z-critical.partial", "20260102T000000.000Z-critical"]
        assert place.garbage() == garbage
        assert place.clear_garbage() == garbage
    assert sorted(path.name for path in place.folder.iterdir()) == [
        ".lock", archive_id, "notes.partial", "somebody's",
    ]  # fmt: skip


def test_garbage_is_removed_without_following_links(place: LocalPlace, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    with place.lock():
        partial = place.folder / "20260101T000000.000Z-critical.partial"
        partial.mkdir()
        (partial / "databases").symlink_to(tmp_path / "precious")
        place.clear_garbage()
    assert (tmp_path / "precious/file").exists()
    assert not partial.exists()


def test_a_second_writer_is_refused_by_the_first_ones_process(place: LocalPlace) -> None:
    with place.lock(), pytest.raises(BackupRunning, match=f"process {os.getpid()}"), place.lock():
        pass
    with place.lock():
        pass


def test_removes_an_archive(place: LocalPlace) -> None:
    with place.lock():
        archive_id = write_archive(place).id
        place.remove(archive_id)
        with pytest.raises(UnknownArchive, match=archive_id):
            place.remove(archive_id)
    assert everything_below(place.folder) == [".lock"]


def test_an_archive_that_is_read_is_not_removed(place: LocalPlace) -> None:
    archive_id = write_first(place)
    with place.reading(archive_id), place.reading(archive_id):
        assert place.in_use(archive_id)
        with pytest.raises(ArchiveInUse, match=archive_id):
            place.remove(archive_id)
    assert not place.in_use(archive_id)
    place.remove(archive_id)


@pytest.mark.parametrize("name", ["20260101T000000.000Z-critical", "../../etc", "", "/", ".lock"])
def test_an_unknown_name_is_refused(place: LocalPlace, name: str) -> None:
    write_first(place)
    for attempt in (place.in_use, place.remove):
        with pytest.raises(UnknownArchive):
            attempt(name)
    with pytest.raises(UnknownArchive), place.reading(name):
        pass


def test_a_missing_part_is_named(place: LocalPlace) -> None:
    archive_id = write_first(place)
    with pytest.raises(DamagedPart, match="databases/other"):
        place.open(archive_id, "databases/other.rdb.zst.age")


def test_a_folder_that_vanishes_while_it_is_written_is_named(place: LocalPlace, tmp_path: Path) -> None:
    def vanish(writer: ArchiveWriter) -> None:
        place.folder.rename(tmp_path / "elsewhere")
        writer.open_part("databases/sessions.rdb.zst.age")

    with pytest.raises(StorageFailed, match="No such file"):
        write_half(place, vanish)
    assert place.archive_ids() == []


def test_a_verification_is_written_and_removed(place: LocalPlace) -> None:
    archive_id = write_first(place)
    for content in (b"first", b"second"):
        place.write_verification(archive_id, content)
        assert place.read(archive_id, "verification.json") == content
    place.write_verification(archive_id, None)
    place.write_verification(archive_id, None)
    assert "verification.json" not in place.files(archive_id)


def write_first(place: LocalPlace) -> str:
    with place.lock():
        return write_archive(place).id
