"""Which archive a restore takes: the one that is named, the newest, or the newest before a moment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from autobot_ops.backup.listing import ListedArchive
from autobot_ops.backup.manifest import DatabasePart, FilePart, Manifest
from autobot_ops.errors import ConfigurationError, RefusedForSafety


class NoSuchArchive(ConfigurationError):
    """No archive has the database, or none of that name or time."""


class UnusableArchive(RefusedForSafety):
    """The archive that was named is damaged."""


class BadTime(ConfigurationError):
    """A time that nobody can read."""


Part = TypeVar("Part", bound=FilePart)


@dataclass(frozen=True)
class Choice(Generic[Part]):
    """An archive and its part."""

    archive: ListedArchive
    part: Part


def choose_archive(
    archives: Sequence[ListedArchive], database: str, *, named: str = "", before: datetime | None = None
) -> Choice[DatabasePart]:
    """The archive to restore a database from; see choose_part."""
    return choose_part(
        archives, lambda manifest: manifest.database(database), f"'{database}'", named=named, before=before
    )


def choose_part(
    archives: Sequence[ListedArchive],
    pick: Callable[[Manifest], Part | None],
    what: str,
    *,
    named: str = "",
    before: datetime | None = None,
) -> Choice[Part]:
    """The archive to restore a part from; damaged ones are passed over, unless one is named.

    `archives` as `list_archives` gives them: the newest first. `pick` finds the part in a manifest, `what`
    is what errors call it. Raises NoSuchArchive, UnusableArchive.
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
        part = pick(archive.manifest)
        if part is not None:
            return Choice(archive, part)
        if named:
            known = ", ".join(each.file.partition(".")[0] for each in archive.manifest.parts)
            raise NoSuchArchive(f"{named} has no {what}", hint=f"It has: {known}.")
    which = named or (f"before {before.isoformat(timespec='seconds')}" if before else "")
    raise NoSuchArchive(
        f"there is no archive {which} with {what}".replace("  ", " "),
        hint="inv backup.list shows them all.",
    )


def choose_all(
    archives: Sequence[ListedArchive], databases: Sequence[str], *, before: datetime | None = None
) -> dict[str, Choice[DatabasePart]]:
    """The newest usable archive of each database, by name; those of which there is none are left out."""
    found = {}
    for name in databases:
        with suppress(NoSuchArchive):
            found[name] = choose_archive(archives, name, before=before)
    if not found:
        raise NoSuchArchive("there is no archive at all", hint="inv backup.list shows them all.")
    return found


def parse_moment(text: str, local: datetime) -> datetime:
    """A moment from `2026-11-23 04:18`, with or without seconds and zone (that of `local` then). BadTime."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTime(
            f"'{text}' is no time", hint="Write it like 2026-11-23T04:18 or 2026-11-23T04:18:20Z."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=local.tzinfo)).astimezone(UTC)
