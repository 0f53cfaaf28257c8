"""Facts of archives for tests, and strategies that make many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st

from autobot_ops.backup.manifest import archive_id
from autobot_ops.backup.retention import ArchiveFacts, Content
from autobot_ops.catalog import load_catalogs

TIERS = load_catalogs(Path(__file__).parents[3]).tiers
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def facts(
    days_old: float,
    tier: str = "critical",
    contents: str | None = "main sessions",
    *,
    empty: str = "",
    verified: bool = True,
    complete: bool = True,
    damaged: bool = False,
    in_use: bool = False,
    place: str = "local",
) -> ArchiveFacts:
    """An archive of so many days ago; `contents` are names of databases, or `postgres/…`, or None."""
    taken_at = NOW - timedelta(days=days_old)
    made = None if contents is None else tuple(_content(name, empty) for name in contents.split())
    return ArchiveFacts(
        id=archive_id(taken_at, tier),
        tier=tier,
        taken_at=taken_at,
        contents=made,
        complete=complete,
        verified_at=taken_at if verified else None,
        damage="main is missing" if damaged else "",
        in_use=in_use,
        place=place,
    )


def _content(name: str, empty: str) -> Content:
    return Content(name if "/" in name else f"databases/{name}", empty=name in empty.split())


_CONTENTS = st.none() | st.lists(
    st.sampled_from(("main", "sessions", "dropped_long_ago", "postgres/autobot", "volumes/chat")),
    unique=True,
    max_size=4,
).map(" ".join)

ANY_ARCHIVE = st.builds(
    facts,
    days_old=st.integers(-40 * 4, 100 * 4).map(lambda quarters: quarters / 4),
    tier=st.sampled_from(("critical", "critical", "important", "optional", "testing", "unheard-of")),
    contents=_CONTENTS,
    empty=st.sampled_from(("", "", "main", "main sessions")),
    verified=st.sampled_from((True, True, True, False)),
    complete=st.booleans(),
    damaged=st.sampled_from((False, False, False, True)),
    in_use=st.sampled_from((False, False, False, True)),
    place=st.sampled_from(("local", "local", "bucket")),
)
ARCHIVES = st.lists(ANY_ARCHIVE, max_size=14, unique_by=lambda each: (each.place, each.id))
MOMENTS = st.integers(-90 * 24, 90 * 24).map(lambda hours: NOW + timedelta(hours=hours))
