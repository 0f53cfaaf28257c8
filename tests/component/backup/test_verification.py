"""Verification finds what isn't as the manifest says, names it, and marks what holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyrage import x25519

from autobot_ops.backup.database_content import DatabaseContent
from autobot_ops.backup.errors import DamagedArchive, DamagedPart, WrongKey
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.listing import list_archives
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import Manifest
from autobot_ops.backup.marks import read_mark
from autobot_ops.backup.verification import DeepChecks, VerificationFailed, verify_archive
from autobot_ops.rdb.window import Source
from tests import rdb_bytes
from tests.component.backup.local_drill import LocalDrill
from tests.unit.backup.archives import KEYS, Contents, rdb_of, write_archive

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PLAIN = frozenset({"sessions"})


@dataclass
class Written:
    """An archive in a place of its own; `sessions` isn't encrypted."""

    place: LocalPlace
    manifest: Manifest

    @property
    def folder(self) -> Path:
        return self.place.folder / self.manifest.id

    @property
    def files(self) -> list[Path]:
        """All but the mark."""
        return sorted(
            path for path in self.folder.rglob("*") if path.is_file() and path.name != "verification.json"
        )

    def verify(self, keys: BackupKeys = KEYS, deep: DeepChecks | None = None) -> None:
        verify_archive(self.place, self.manifest.id, keys, now=NOW, deep=deep)

    @property
    def marked(self) -> bool:
        return read_mark(self.place, self.manifest.id) is not None


@pytest.fixture
def archive(local: LocalPlace) -> Written:
    with local.lock():
        return Written(local, write_archive(local, plain=PLAIN))


def test_a_sound_archive_is_marked(archive: Written, tmp_path: Path) -> None:
    assert not archive.marked
    archive.verify()
    mark = read_mark(archive.place, archive.manifest.id)
    assert mark is not None
    assert (mark.verified_at, mark.deep) == (NOW, False)
    drill = LocalDrill(tmp_path)
    archive.verify(deep=DeepChecks(drill))
    mark = read_mark(archive.place, archive.manifest.id)
    assert mark is not None
    assert mark.deep
    assert drill.servers == 2


def test_the_watch_sees_every_stored_byte(archive: Written) -> None:
    told: list[int] = []
    verify_archive(archive.place, archive.manifest.id, KEYS, now=NOW, watch=told.append)
    assert sum(told) == archive.manifest.stored_bytes


def test_a_server_that_holds_something_else_fails_the_drill(archive: Written, tmp_path: Path) -> None:
    spoils: list[tuple[tuple[object, ...], str]] = [
        ((0, "SET", "more", "1"), "21 keys instead of 20"),
        ((0, "DEL", "key:1"), "19 keys instead of 20"),
        ((0, "SET", "key:1", "other"), "other content"),
        ((0, "PERSIST", "key:3"), "6 keys with expiry instead of 7"),
        ((6, "PEXPIREAT", "key:3", "4000000000999"), "other content"),
        ((1, "SET", "stray", "1"), "holds keys of database 1"),
    ]
    archive.verify()
    for number, (spoil, expected) in enumerate(spoils):
        drill = LocalDrill(tmp_path / str(number), spoil)
        with pytest.raises(VerificationFailed, match=expected):
            archive.verify(deep=DeepChecks(drill))
        assert not archive.marked


def test_keys_that_expired_since_are_compared_too(local: LocalPlace, tmp_path: Path) -> None:
    entries = [
        rdb_bytes.entry(b"gone", 0, rdb_bytes.string(b"x"), expires_at=1_700_000_000_000),
        rdb_bytes.entry(b"there", 0, rdb_bytes.string(b"y")),
        rdb_bytes.entry(b"later", 0, rdb_bytes.string(b"z"), expires_at=4_000_000_000_000),
    ]
    data = rdb_bytes.rdb(rdb_bytes.select(0, 3, 2), *entries)
    with local.lock():
        archive = Written(local, write_archive(local, Contents({"main": data}, None, None)))
    archive.verify(deep=DeepChecks(LocalDrill(tmp_path / "sound")))
    with pytest.raises(VerificationFailed, match="2 keys instead of 3"):
        archive.verify(deep=DeepChecks(LocalDrill(tmp_path / "spoilt", (0, "DEL", "there"))))


def test_a_dump_is_looked_at_deeper_by_who_can(archive: Written, tmp_path: Path) -> None:
    def refuse(dump: Source) -> None:
        assert dump.read(5) == b"PGDMP"
        raise DamagedPart("no table of contents")

    with pytest.raises(VerificationFailed, match=r"postgres/autobot.dump.zst.age: no table of contents"):
        archive.verify(deep=DeepChecks(LocalDrill(tmp_path), refuse))


def test_what_is_no_dump_is_refused(local: LocalPlace) -> None:
    with local.lock():
        archive = Written(local, write_archive(local, Contents(dump=b"SELECT 1;")))
    with pytest.raises(VerificationFailed, match="no dump of pg_dump"):
        archive.verify()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"keys": 19}, "holds 20 keys instead of 19"),
        ({"keys_with_expiry": 6}, "holds 7 keys with expiry instead of 6"),
        ({"fingerprint": f"20:{1:032x}"}, "holds other content"),
        ({"bytes": 1}, "holds more than 1 bytes"),
        ({"bytes": 100000}, "instead of 100000"),
        ({"number": 3}, "holds keys of database 0, not of 3 alone"),
    ],
)
def test_a_manifest_that_promises_something_else_is_not_marked(
    local: LocalPlace, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], expected: str
) -> None:
    """Sealed by us, so only the content can contradict it."""
    render = Manifest.model_dump

    def changed(self: Manifest, **options: object) -> dict[str, object]:
        document: dict[str, object] = render(self, **options)  # type: ignore[arg-type]
        databases = document["databases"]
        assert isinstance(databases, list)
        databases[0].update(change)
        return document

    monkeypatch.setattr(Manifest, "model_dump", changed)
    with local.lock():
        archive = Written(local, write_archive(local))
    with pytest.raises(VerificationFailed, match=expected):
        archive.verify()
    assert not archive.marked


def test_all_damaged_parts_are_named(archive: Written) -> None:
    for path in archive.files:
        if path.name != "manifest.json":
            path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(VerificationFailed) as failed:
        archive.verify()
    for part in archive.manifest.parts:
        assert part.file in failed.value.message


def test_another_key_opens_nothing_and_leaves_the_mark(archive: Written) -> None:
    archive.verify()
    with pytest.raises(WrongKey):
        archive.verify(BackupKeys((x25519.Identity.generate(),)))
    assert archive.marked


def test_a_former_key_opens_it(archive: Written) -> None:
    archive.verify(BackupKeys((x25519.Identity.generate(), *KEYS.identities)))
    assert archive.marked


def flip(path: Path, at: int, mask: int) -> Callable[[], None]:
    """Flip bits of a file, and say how to put them back."""
    data = bytearray(path.read_bytes())
    before = bytes(data)
    data[at] ^= mask
    path.write_bytes(data)

    def undo() -> None:
        path.write_bytes(before)

    return undo


def is_seen(archive: Written) -> str:
    """Whether verification sees damage, or nothing (the empty text)."""
    archive.place.write_verification(archive.manifest.id, None)
    try:
        archive.verify()
    except (DamagedArchive, WrongKey) as error:
        assert not archive.marked
        return type(error).__name__
    return ""


def test_300_random_bit_flips_are_all_seen(
    archive: Written, record_property: Callable[[str, object], None]
) -> None:
    chosen = random.Random(300)
    seen: dict[str, int] = {}
    sizes = {path: path.stat().st_size for path in archive.files}
    for _ in range(300):
        path = chosen.choice(list(sizes))
        at, bit = chosen.randrange(sizes[path]), chosen.randrange(8)
        undo = flip(path, at, 1 << bit)
        how = is_seen(archive)
        assert how, f"bit {bit} of byte {at} of {path.name}"
        seen[how] = seen.get(how, 0) + 1
        undo()
    archive.verify()
    record_property("300 bit flips over an archive, seen as", seen)


def test_a_flip_in_each_class_of_byte_is_seen(
    archive: Written, record_property: Callable[[str, object], None]
) -> None:
    """Every byte of what is small, and of each layer's beginning and end."""
    manifest = archive.folder / "manifest.json"
    age = archive.folder / archive.manifest.databases[0].file
    plain = archive.folder / archive.manifest.databases[1].file
    text = manifest.read_bytes()
    header = age.read_bytes().index(b"\n--- ") + 50
    size = age.stat().st_size
    places = {
        "manifest": [(manifest, at) for at in range(0, len(text), 7)],
        "seal of the manifest": [(manifest, at) for at in range(text.index(b'"seal"'), len(text), 3)],
        "age header": [(age, at) for at in range(0, header, 2)],
        "age nonce": [(age, at) for at in range(header, header + 16)],
        "age body": [(age, at) for at in range(header + 16, size - 16, 5)],
        "age last tag": [(age, at) for at in range(size - 16, size)],
        "zstd header": [(plain, at) for at in range(8)],
        "zstd body": [(plain, at) for at in range(8, plain.stat().st_size - 4, 5)],
        "zstd checksum": [(plain, at) for at in range(plain.stat().st_size - 4, plain.stat().st_size)],
    }
    for name, spots in places.items():
        assert spots, name
        for path, at in spots:
            undo = flip(path, at, 0x01)
            assert is_seen(archive), f"{name}: byte {at}"
            undo()
        record_property(f"flips seen in {name}", len(spots))


def test_a_spoilt_mark_is_no_mark(archive: Written, record_property: Callable[[str, object], None]) -> None:
    archive.verify()
    path = archive.folder / "verification.json"
    data = path.read_bytes()
    for at in range(len(data)):
        for mask in (0x01, 0x10):
            undo = flip(path, at, mask)
            assert not archive.marked, f"bit {mask} of byte {at}"
            undo()
    assert archive.marked
    record_property("flips seen in verification.json", 2 * len(data))
    other = archive.place.read(archive.manifest.id, "manifest.json")
    assert read_mark(archive.place, archive.manifest.id, other + b" ") is None


def test_truncation_at_random_lengths_is_seen(
    archive: Written, record_property: Callable[[str, object], None]
) -> None:
    chosen = random.Random(5)
    tried = 0
    for path in archive.files:
        data = path.read_bytes()
        # The manifest's last byte is a line end: without it nothing is missing.
        for length in {0, 1, len(data) - 2, *(chosen.randrange(len(data) - 1) for _ in range(12))}:
            path.write_bytes(data[:length])
            assert is_seen(archive), f"{path.name} cut to {length}"
            assert list_archives([archive.place], KEYS).archives[0].damage
            tried += 1
        path.write_bytes(data + b"\0")
        assert is_seen(archive), f"{path.name} and one byte more"
        path.write_bytes(data)
    archive.verify()
    record_property("truncations seen", tried)


def test_a_missing_part_is_seen_and_listed_as_damage(archive: Written) -> None:
    for part in archive.manifest.parts:
        path = archive.folder / part.file
        path.rename(path.with_name("away"))
        assert is_seen(archive) == "VerificationFailed"
        (row,) = list_archives([archive.place], KEYS).archives
        assert row.damage == f"{part.file} is missing"
        path.with_name("away").rename(path)


def test_swapped_parts_are_seen(archive: Written) -> None:
    first, second = (archive.folder / part.file for part in archive.manifest.databases)
    first_data, second_data = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_data)
    second.write_bytes(first_data)
    assert is_seen(archive) == "VerificationFailed"


def test_parts_and_manifest_of_another_archive_are_seen(archive: Written) -> None:
    with archive.place.lock():
        other = write_archive(
            archive.place,
            Contents({"main": rdb_of(0, text=b"other"), "sessions": rdb_of(6)}),
            taken_at=archive.manifest.taken_at + timedelta(days=1),
            plain=PLAIN,
        )
    manifest = archive.folder / "manifest.json"
    text = manifest.read_bytes()
    manifest.write_bytes(archive.place.read(other.id, "manifest.json"))
    assert is_seen(archive) == "AlteredManifest"
    assert other.id in list_archives([archive.place], KEYS).archives[1].damage
    manifest.write_bytes(text)
    for part in archive.manifest.parts:
        path = archive.folder / part.file
        data = path.read_bytes()
        path.write_bytes(archive.place.read(other.id, part.file))
        assert is_seen(archive) == ("" if path.read_bytes() == data else "VerificationFailed")
        path.write_bytes(data)


def test_an_edited_manifest_is_refused(archive: Written) -> None:
    path = archive.folder / "manifest.json"
    text = path.read_text()
    for old, new in (
        ('"keys": 20', '"keys": 21'),
        ('"complete": true', '"complete": false'),
        ("7.0.15", "7.0.16"),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        assert is_seen(archive) == "AlteredManifest"
        (row,) = list_archives([archive.place], KEYS).archives
        assert "was changed after it was written" in row.damage
        assert row.manifest is None


def test_content_says_what_differs() -> None:
    content = DatabaseContent(2, 1, "2:00")
    assert content.difference(content) == ""
    assert content.difference(DatabaseContent(2, 1, "2:01")) == "other content"
