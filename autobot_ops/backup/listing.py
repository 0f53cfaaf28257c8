"""Archives of all places as plain data. Nothing is left out: what is wrong with one is said in its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.backup.errors import StorageFailed, UnknownArchive
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.manifest import MANIFEST_FILE, Manifest, parse_manifest
from autobot_ops.backup.marks import read_mark
from autobot_ops.backup.places import Place
from autobot_ops.errors import RefusedForSafety


@dataclass(frozen=True)
class ListedArchive:
    """One archive at one place. `stored_bytes` is what its files take.

    `damage` says what is wrong, as far as that is seen without reading the parts; empty for nothing. Where
    it says that the manifest can't be believed, there is no `manifest`.
    """

    id: str
    place: str
    tier: str
    taken_at: datetime | None
    stored_bytes: int
    manifest: Manifest | None = None
    verified_at: datetime | None = None
    deep: bool = False
    damage: str = ""

    @property
    def keys(self) -> int:
        """Of all its databases."""
        return sum(part.keys for part in self.manifest.databases) if self.manifest else 0


@dataclass(frozen=True)
class Listing:
    """The archives, the newest first; places that didn't answer, with the reason; garbage by place."""

    archives: tuple[ListedArchive, ...]
    unreachable: dict[str, str]
    garbage: dict[str, list[str]]


def list_archives(places: Iterable[Place], keys: BackupKeys | None) -> Listing:
    """Look at all archives. Without keys the seals of manifests aren't checked."""
    archives: list[ListedArchive] = []
    unreachable: dict[str, str] = {}
    garbage: dict[str, list[str]] = {}
    for place in places:
        try:
            looked_at = [look_at(place, archive_id, keys) for archive_id in place.archive_ids()]
            still_there = set(place.archive_ids()) if any(each.damage for each in looked_at) else set()
            # What lost files because it was removed meanwhile isn't damaged.
            archives += [each for each in looked_at if not each.damage or each.id in still_there]
            garbage[place.name] = place.garbage()
        except StorageFailed as error:
            unreachable[place.name] = error.message
    archives.sort(key=lambda each: (each.id, each.place), reverse=True)
    return Listing(tuple(archives), unreachable, garbage)


def look_at(place: Place, archive_id: str, keys: BackupKeys | None) -> ListedArchive:
    """One archive's row: its manifest, and whether all files are there in the size that it says."""
    moment, tier = moment_and_tier(archive_id)
    files: Mapping[str, int] = {}
    manifest, text, damage = None, b"", ""
    try:
        files = place.files(archive_id)
        text = place.read(archive_id, MANIFEST_FILE)
        manifest = parse_manifest(text, keys.seal_keys if keys else None, name=archive_id)
        damage = _wrong_files(manifest, files)
    except (RefusedForSafety, UnknownArchive) as error:
        damage = error.message
    mark = read_mark(place, archive_id, text) if not damage else None
    return ListedArchive(
        id=archive_id,
        place=place.name,
        tier=tier,
        taken_at=manifest.taken_at if manifest else moment,
        stored_bytes=sum(files.values()),
        manifest=manifest,
        verified_at=mark.verified_at if mark else None,
        deep=mark.deep if mark else False,
        damage=damage,
    )


def load_manifest(place: Place, archive_id: str, keys: BackupKeys | None) -> Manifest:
    """An archive's manifest, its seal checked unless there are no keys. UnknownArchive, parse_manifest's."""
    place.files(archive_id)  # names an archive that isn't there
    text = place.read(archive_id, MANIFEST_FILE)
    return parse_manifest(text, keys.seal_keys if keys else None, name=archive_id)


def moment_and_tier(archive_id: str) -> tuple[datetime | None, str]:
    """What an archive's name says; None for a time that no calendar has."""
    moment, _, tier = archive_id.partition("-")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC), tier
    except ValueError:
        return None, tier


def _wrong_files(manifest: Manifest, files: Mapping[str, int]) -> str:
    for part in manifest.parts:
        if part.file not in files:
            return f"{part.file} is missing"
        if files[part.file] != part.stored_bytes:
            return f"{part.file} has {files[part.file]} bytes instead of {part.stored_bytes}"
    return ""
