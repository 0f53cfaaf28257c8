"""Which keys of a plan are not as they were, by a later stream: for reports, when a fingerprint differs.

In bounded memory: both sides are spread over a spool's partitions and met one by one; names are looked up
in the plan at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autobot_ops.migration.digest_spool import PARTITIONS, DigestSpool, KeyPlace
from autobot_ops.migration.plan_file import DIGEST_MASK, NEVER, PlanFile
from autobot_ops.migration.routes import SOURCE_NUMBER
from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests, Prints
from autobot_ops.rdb.listing import KeyListing, Row
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.window import Source

MOST_NAMED = 10_000

CHANGED, GONE, EXPIRED, BEHIND = "changed", "gone", "expired", "still in database 0"


@dataclass
class Differences:
    """Keys that differ from the plan: how many by kind, and the names of up to MOST_NAMED of them.

    `rest` is, by database number, what is there besides keys of the plans: how many, and the sum of their
    short digests.
    """

    counts: Counter[str] = field(default_factory=Counter)
    named: list[tuple[bytes, int, str]] = field(default_factory=list)
    rest: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Present:
    """What a stream has, key by key: `spool` is to be closed. `began_at` is milliseconds."""

    spool: DigestSpool
    prints: Mapping[int, Prints]
    began_at: int


def spool_stream(source: Source, folder: Path, numbers: Iterable[int]) -> Present:
    """Prints of all databases, and the digests of all keys of these ones."""
    reader = Reader(source)
    spool = DigestSpool(folder)
    wanted = set(numbers)
    takers: dict[int, KeyListing] = {}
    prints: dict[int, Fingerprinter] = {}

    def taker(number: int) -> KeyListing:
        if number not in takers:
            added = prints[number] = Fingerprinter(reader.began_at)

            def take(rows: list[Row]) -> None:
                for key, digest, _, expires_at, _, _ in rows:
                    added.add(digest, expires_at)
                    if number in wanted:
                        spool.add(number, key, digest)

            takers[number] = KeyListing(KeyDigests(reader.dialect), take)
        return takers[number]

    reader.taker = taker
    try:
        for entry in reader:
            taker(entry.database).add(entry)
    except BaseException:
        spool.close()
        raise
    return Present(spool, {number: each.prints for number, each in prints.items()}, reader.began_at)


def find_differences(
    plans: Sequence[tuple[PlanFile, Sequence[int]]], found: DigestSpool, now: int
) -> Differences:
    """Meet the plans' keys with what a stream found. Each plan comes with the targets of its sections.

    `now` (milliseconds) tells expired keys from others that are gone. A later plan's key counts in place of
    an earlier one's. Keys of a scan's plan have no digest: whatever is in their target is theirs.
    """
    result = Differences()
    planned = DigestSpool(plans[0][0].path.parent)
    try:
        for plan, numbers in plans:
            for block in plan.read():
                number = numbers[block.place.section]
                for key, digest in zip(block.names(), block.digests, strict=True):
                    planned.add(number, key, digest)
        kinds: dict[KeyPlace, str] = {}
        rest: dict[int, list[int]] = {}
        for partition in range(PARTITIONS):
            there = dict(found.partition(partition))
            for place, digest in dict(planned.partition(partition)).items():
                present = there.pop(place, None)
                kind = ""
                if present is None:
                    kind = GONE if there.pop((place[0], SOURCE_NUMBER), None) is None else BEHIND
                elif digest and present != digest:
                    kind = CHANGED
                if kind:
                    result.counts[kind] += 1
                    if len(kinds) < MOST_NAMED:
                        kinds[place] = kind
            for (_, number), digest in there.items():
                counted = rest.setdefault(number, [0, 0])
                counted[0] += 1
                counted[1] = (counted[1] + digest) & DIGEST_MASK
    finally:
        planned.close()
    result.rest = {number: (count, total) for number, (count, total) in rest.items()}
    _name(plans, kinds, result, now)
    return result


def _name(
    plans: Sequence[tuple[PlanFile, Sequence[int]]],
    kinds: Mapping[KeyPlace, str],
    result: Differences,
    now: int,
) -> None:
    left = dict(kinds)
    for plan, numbers in plans if kinds else ():
        for block in plan.read():
            number = numbers[block.place.section]
            for key, expiry in zip(block.names(), block.expiries, strict=True):
                kind = left.pop((hash(key), number), "")
                if not kind:
                    continue
                if kind == GONE and expiry != NEVER and expiry * 1000 <= now:
                    result.counts[GONE] -= 1
                    result.counts[EXPIRED] += 1
                    kind = EXPIRED
                result.named.append((key, number, kind))
    result.counts = +result.counts
