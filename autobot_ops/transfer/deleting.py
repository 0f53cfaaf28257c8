"""Deleting from the source what has verifiably arrived: the only thing that ever writes there.

Per key, and only if the source still has the value that was brought: DUMP and expiry are compared under
WATCH, and UNLINK is in the transaction that fails where somebody wrote to the key since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import hiredis

from autobot_ops.migration.conflicts import LARGEST_COMPARED, REPLACING, digest_of_dump
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import MigrationInterrupted, ServerLost
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.applying import Work
from autobot_ops.transfer.errors import AGAIN, SourceLost, SourceRefuses
from autobot_ops.transfer.fetching import milliseconds
from autobot_ops.transfer.survey import Fate, KeySet
from autobot_ops.transfer.verifying import Verified

DELETED = "deleted"
CHANGED = "kept: it has changed since"
GONE = "gone already"
LARGE = "kept: too large to be compared without stopping the source"


def delete_from_source(
    work: Work,
    verified: Verified,
    left: KeySet,
    source: Endpoint,
    number: int,
    *,
    progress: Callable[[int], object],
) -> Counter[str]:
    """Delete every key that was brought and proven; how many were, and why others weren't.

    Raises SourceLost, SourceRefuses, MigrationInterrupted: what was deleted by then is in the target.
    """
    counts: Counter[str] = Counter()
    kept = [left, verified.unproven]
    if work.choice not in REPLACING:
        kept.append(work.fates.sets[Fate.CONFLICT])
    began_at = work.target.clock()()
    digests = work.content.digests_for(work.content.dialect)
    try:
        with Connection(source, number) as connection, work.copy.open() as copy:
            for entry in Reader(copy):
                key, expires_at = entry.key, entry.expires_at
                if work.number_of(key) is None or any(key in each for each in kept):
                    continue
                if expires_at is not None and expires_at <= began_at:
                    continue  # not brought, and the source lets go of it by itself
                expected = digests.of(entry)
                counts[_delete(work, connection, key, expires_at, expected)] += 1
                progress(counts.total())
                if work.stop():
                    raise MigrationInterrupted("interrupted while deleting from the source", hint=AGAIN)
    except ServerLost as error:
        raise SourceLost(error.message, hint=f"All that was deleted is in the target. {AGAIN}") from error
    return counts


def _delete(work: Work, connection: Connection, key: bytes, expires_at: int | None, expected: int) -> str:
    size = _granted(connection, connection.ask("MEMORY", "USAGE", key))
    if isinstance(size, int) and size > LARGEST_COMPARED:
        return LARGE
    # One round trip, so that the two clocks enclose the remaining time.
    replies = connection.ask_all([("WATCH", key), ("TIME",), ("PTTL", key), ("TIME",), ("DUMP", key)])
    _, before, remaining, after, dump = (_granted(connection, reply) for reply in replies)
    if not isinstance(dump, bytes):
        connection.ask("UNWATCH")
        return GONE
    same_expiry = remaining == -1 if expires_at is None else _encloses(before, after, remaining, expires_at)
    if not same_expiry or digest_of_dump(key, dump, expires_at, work.content.digests_for) != expected:
        connection.ask("UNWATCH")
        return CHANGED
    *queued, done = connection.ask_all([("MULTI",), ("UNLINK", key), ("EXEC",)])
    for reply in queued:
        _granted(connection, reply)
    return DELETED if isinstance(done, list) and done == [1] else CHANGED


def _encloses(before: object, after: object, remaining: object, expires_at: int) -> bool:
    """Whether a key that had so many milliseconds left between two moments expires at this one."""
    if not isinstance(remaining, int) or remaining < 0:
        return False
    # A millisecond more on both sides: each of the three is cut off.
    return milliseconds(before) + remaining - 1 <= expires_at <= milliseconds(after) + remaining + 1


def _granted(connection: Connection, reply: object) -> object:
    if isinstance(reply, hiredis.ReplyError):
        raise SourceRefuses(
            f"{connection.endpoint} doesn't let keys be deleted: {reply}",
            hint="Its user needs +memory|usage +watch +unwatch +multi +exec +dump +pttl +time +unlink. "
            "All that was deleted is in the target.",
        )
    return reply
