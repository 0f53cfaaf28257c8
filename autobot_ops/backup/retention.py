"""Which archives may go, and why: a pure function of facts. No place, no clock, no printing.

Two promises hold whatever is asked:

* The newest verified archive of each database, PostgreSQL database and volume is kept for good; of what has
  since been emptied, the newest one that held something as well.
* An archive goes only when it is older than its tier's retention *and* everything in it is in newer verified
  archives of the same place. Archives that nobody verified, that are damaged, or whose date is in the future
  stand for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from autobot_ops.catalog.models import Tier


@dataclass(frozen=True, order=True)
class Content:
    """One thing that an archive holds, by the name of its file without endings: `databases/sessions`.

    `empty`: it held no key and no row. Such a part doesn't stand for one that did, or the backup after an
    accidental FLUSHALL would let the last good one expire.
    """

    name: str
    empty: bool = False

    @property
    def short_name(self) -> str:
        """What people call it: `sessions`, `postgres/autobot`."""
        return self.name.removeprefix("databases/")


@dataclass(frozen=True)
class ArchiveFacts:
    """What is known of an archive in one place, as far as retention and schedule care.

    `contents` is None where the manifest can't be read. `complete`: all databases of its tier are there.
    `verified_at` is None until somebody looked. `damage` says what is wrong. `in_use`: a restore reads it.
    """

    id: str
    tier: str
    taken_at: datetime
    contents: tuple[Content, ...] | None
    complete: bool = True
    verified_at: datetime | None = None
    damage: str = ""
    in_use: bool = False
    place: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether it may stand for older ones."""
        return self.verified_at is not None and not self.damage and self.contents is not None


class Cause(StrEnum):
    """Why an archive is kept, or removed (`EXPIRED`)."""

    EXPIRED = "expired"
    YOUNG = "young"
    NEWEST_VERIFIED = "newest-verified"
    LAST_NOT_EMPTY = "last-not-empty"
    NOT_COVERED = "not-covered"
    IN_USE = "in-use"
    FUTURE = "future"
    DAMAGED = "damaged"
    UNKNOWN_CONTENT = "unknown-content"
    UNKNOWN_TIER = "unknown-tier"


REPORTED = frozenset({Cause.FUTURE, Cause.DAMAGED, Cause.UNKNOWN_CONTENT, Cause.UNKNOWN_TIER})
"""Causes that a person should look at."""


@dataclass(frozen=True)
class Reason:
    """One cause with its data, and in words. `contents` are short names, `archives` are ids."""

    cause: Cause
    text: str
    contents: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What becomes of one archive."""

    archive: ArchiveFacts
    remove: bool
    reasons: tuple[Reason, ...]

    @property
    def reported(self) -> bool:
        """Whether a person should look at it."""
        return any(reason.cause in REPORTED for reason in self.reasons)

    @property
    def covered_by(self) -> tuple[str, ...]:
        """Ids of the archives that stand for it; each of them is kept by the same plan."""
        return tuple(
            each for reason in self.reasons if reason.cause is Cause.EXPIRED for each in reason.archives
        )

    @property
    def why(self) -> str:
        """The reasons in words."""
        return "; ".join(reason.text for reason in self.reasons)

    def __str__(self) -> str:
        return f"{'remove' if self.remove else 'keep  '} {self.archive.id}: {self.why}"


def plan_retention(
    archives: Iterable[ArchiveFacts], tiers: Mapping[str, Tier], now: datetime
) -> list[Decision]:
    """A decision for each archive, by place and age. Each place is judged by itself.

    Removing some of what the plan removes, or none, leaves both promises intact; so does a clock that is
    wrong when it is planned: one that is behind removes less, one ahead only what is covered.
    """
    by_place: dict[str, list[ArchiveFacts]] = {}
    for archive in sorted(archives, key=lambda each: (each.place, each.taken_at, each.id)):
        by_place.setdefault(archive.place, []).append(archive)
    decisions = []
    for of_place in by_place.values():
        cover = _Cover(of_place, now)
        decisions += [_decide(archive, cover, tiers, now) for archive in of_place]
    return decisions


class _Cover:
    """For each content, the newest archive of a place that can stand for older ones."""

    def __init__(self, archives: Sequence[ArchiveFacts], now: datetime) -> None:
        self._newest: dict[str, ArchiveFacts] = {}
        self._newest_not_empty: dict[str, ArchiveFacts] = {}
        for archive in archives:  # oldest first
            if not archive.is_proven or archive.taken_at > now:
                continue
            for content in archive.contents or ():
                self._newest[content.name] = archive
                if not content.empty:
                    self._newest_not_empty[content.name] = archive

    def of(self, content: Content, archive: ArchiveFacts) -> ArchiveFacts | None:
        """What stands for a content of an archive; None without a newer verified one."""
        known = self._newest if content.empty else self._newest_not_empty
        other = known.get(content.name)
        return other if other is not None and other.taken_at > archive.taken_at else None

    def is_emptied(self, content: Content, archive: ArchiveFacts) -> bool:
        """Whether newer verified archives have the content, but nothing in it."""
        other = self._newest.get(content.name)
        return other is not None and other.taken_at > archive.taken_at


def _decide(archive: ArchiveFacts, cover: _Cover, tiers: Mapping[str, Tier], now: datetime) -> Decision:
    keeping = [*_state_reasons(archive, tiers, now), *_age_reasons(archive, tiers, now)]
    covering: list[str] = []
    if archive.contents is not None and archive.taken_at <= now:
        keeping += _cover_reasons(archive, archive.contents, cover)
        found = (cover.of(content, archive) for content in archive.contents)
        covering = list(dict.fromkeys(each.id for each in found if each is not None))
    damage = [reason for reason in keeping if reason.cause is Cause.DAMAGED]
    if keeping != damage:
        return Decision(archive, remove=False, reasons=tuple(keeping))
    days = tiers[archive.tier].retention_days
    standing = f", and newer verified ones have all of it: {', '.join(covering)}" if covering else ""
    expired = Reason(Cause.EXPIRED, f"older than {_days(days)}{standing}", archives=tuple(covering))
    return Decision(archive, remove=True, reasons=(expired, *damage))


def _state_reasons(archive: ArchiveFacts, tiers: Mapping[str, Tier], now: datetime) -> list[Reason]:
    reasons = []
    if archive.in_use:
        reasons.append(Reason(Cause.IN_USE, "in use"))
    if archive.taken_at > now:
        reasons.append(Reason(Cause.FUTURE, f"its date, {_moment(archive.taken_at)}, is in the future"))
    if archive.damage:
        reasons.append(Reason(Cause.DAMAGED, f"damaged ({archive.damage})"))
    if archive.contents is None:
        reasons.append(Reason(Cause.UNKNOWN_CONTENT, "what it holds can't be read"))
    if archive.tier not in tiers:
        reasons.append(Reason(Cause.UNKNOWN_TIER, f"the catalog has no tier '{archive.tier}'"))
    return reasons


def _age_reasons(archive: ArchiveFacts, tiers: Mapping[str, Tier], now: datetime) -> list[Reason]:
    if archive.tier not in tiers or archive.taken_at > now:
        return []
    days = tiers[archive.tier].retention_days
    expires_at = archive.taken_at + timedelta(days=days)
    if now >= expires_at:
        return []
    return [Reason(Cause.YOUNG, f"{_days(days)}, until {_moment(expires_at)}")]


def _cover_reasons(archive: ArchiveFacts, contents: Sequence[Content], cover: _Cover) -> list[Reason]:
    uncovered = [content for content in contents if cover.of(content, archive) is None]
    emptied = [content for content in uncovered if cover.is_emptied(content, archive)]
    alone = [content for content in uncovered if content not in emptied]
    if archive.is_proven:
        return [
            *_named(Cause.NEWEST_VERIFIED, "newest verified of", alone),
            *_named(Cause.LAST_NOT_EMPTY, "newest verified that isn't empty of", emptied),
        ]
    return [
        *_named(Cause.NOT_COVERED, "no newer verified one of", alone),
        *_named(Cause.NOT_COVERED, "no newer verified one that isn't empty of", emptied),
    ]


def _named(cause: Cause, words: str, contents: Sequence[Content]) -> list[Reason]:
    if not contents:
        return []
    names = tuple(content.short_name for content in contents)
    return [Reason(cause, f"{words} {', '.join(names)}", contents=names)]


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
