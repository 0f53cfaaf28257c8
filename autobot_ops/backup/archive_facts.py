"""Facts of archives for retention and schedule, from what places show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.backup.errors import UnknownArchive
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.listing import ListedArchive, list_archives, look_at
from autobot_ops.backup.manifest import DatabasePart, FilePart, Manifest, PostgresPart
from autobot_ops.backup.places import Place
from autobot_ops.backup.retention import ArchiveFacts, Content

NO_DATE = datetime.min.replace(tzinfo=UTC)
"""Of an archive whose name is no date of any calendar. Its manifest doesn't fit then, so it is kept."""


@dataclass(frozen=True)
class ObservedArchives:
    """Facts of all archives; and the places that didn't answer, with the reason."""

    facts: tuple[ArchiveFacts, ...]
    unreachable: dict[str, str]


def observe_archives(places: Collection[Place], keys: BackupKeys | None) -> ObservedArchives:
    """Look at everything. Without keys the seals of manifests aren't checked: not enough for removing."""
    listing = list_archives(places, keys)
    by_name = {place.name: place for place in places}
    listed = ((by_name[each.place], each) for each in listing.archives)
    facts = tuple(found for place, each in listed if (found := _still_there(place, each)) is not None)
    return ObservedArchives(facts, listing.unreachable)


def look_again(place: Place, keys: BackupKeys | None, archive_ids: Iterable[str]) -> list[ArchiveFacts]:
    """Facts of these archives as they are now, without those that are gone. Raises StorageFailed."""
    there = set(place.archive_ids())
    listed = (look_at(place, each, keys) for each in sorted(archive_ids) if each in there)
    return [found for each in listed if (found := _still_there(place, each)) is not None]


def archive_facts(listed: ListedArchive, *, in_use: bool) -> ArchiveFacts:
    """What a listed archive is to retention and schedule. Pure."""
    return ArchiveFacts(
        id=listed.id,
        tier=listed.tier,
        taken_at=listed.taken_at or NO_DATE,
        contents=None if listed.manifest is None else contents_of(listed.manifest),
        complete=listed.manifest is not None and listed.manifest.complete,
        verified_at=listed.verified_at,
        damage=listed.damage,
        in_use=in_use,
        place=listed.place,
    )


def contents_of(manifest: Manifest) -> tuple[Content, ...]:
    """What an archive holds, each with whether it is empty."""
    return tuple(Content(part.file.partition(".")[0], empty=_is_empty(part)) for part in manifest.parts)


def _is_empty(part: FilePart) -> bool:
    if isinstance(part, DatabasePart):
        return part.keys == 0
    return isinstance(part, PostgresPart) and not any(table.rows for table in part.content.tables.values())


def _still_there(place: Place, listed: ListedArchive) -> ArchiveFacts | None:
    try:
        return archive_facts(listed, in_use=place.in_use(listed.id))
    except UnknownArchive:
        return None
