"""Which archive a restore takes: the one that is named, the newest, or the newest before a moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.backup.listing import ListedArchive
from autobot_ops.backup.manifest import DatabasePart
from autobot_ops.errors import ConfigurationError, RefusedForSafety


class NoSuchArchive(ConfigurationError):
    """No archive has the database, or none of that name or time."""


class UnusableArchive(RefusedForSafety):
    """The archive that was named is damaged."""


class BadTime(ConfigurationError):
    """A time that nobody can read."""


@dataclass(frozen=True)
class Choice:
    """An archive and its part for one database."""

    archive: ListedArchive
    part: DatabasePart


def choose_archive(
    archives: Sequence[ListedArchive], database: str, *, named: str = "", before: datetime | None = None
) -> Choice:
    """The archive to restore a database from; damaged ones are passed over, unless one is named.

    `archives` as `list_archives` gives them: the newest first. Raises NoSuchArchive, UnusableArchive.
    """
    for archive in archives:
        if named and archive.id != named:
            continue
        if named and archive.damage and all(each.damage for each in archives if each.id == named):
            raise UnusableArchive(
                f"{archive.id} can't be used: {archive.damage}", hint="Take another one: inv backup.list."
            )
        if archive.damage or archive.manifest is None:
            continue
        if before is not None and archive.manifest.taken_at > before:
            continue
        part = archive.manifest.database(database)
        if part is not None:
            return Choice(archive, part)
        if named:
            known = ", ".join(each.name for each in archive.manifest.databases)
            raise NoSuchArchive(f"{named} has no '{database}'", hint=f"It has: {known}.")
    which = named or (f"before {before.isoformat(timespec='seconds')}" if before else "")
    raise NoSuchArchive(
        f"there is no archive {which} with '{database}'".replace("  ", " "),
        hint="inv backup.list shows them all.",
    )


def parse_moment(text: str, local: datetime) -> datetime:
    """A moment from `2026-11-23 04:18`, with or without seconds and zone (that of `local` then). BadTime."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTime(
            f"'{text}' is no time", hint="Write it like 2026-11-23T04:18 or 2026-11-23T04:18:20Z."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=local.tzinfo)).astimezone(UTC)
