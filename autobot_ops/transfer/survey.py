"""What is to be brought where: the copy of the source met with what the target holds already.

Nothing but this decides what is done, also after a crash: what equals the source's is done where it is in
its target, and waits for its MOVE where it is in staging; everything else is loaded. So there is no journal
to trust.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from autobot_ops.migration.digest_spool import PARTITIONS, DigestSpool
from autobot_ops.migration.plan import Part, Unrouted, shown
from autobot_ops.migration.routes import GARBAGE, Routes
from autobot_ops.migration.tally import Tally, UnroutedKeys, part_of
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.layout import REDIS, VALKEY, Dialect
from autobot_ops.rdb.listing import row_of
from autobot_ops.rdb.pieces import can_be_split
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.transfer.fetching import LocalCopy

COUNTS_ENTRIES_READ = 10
"""From this RDB version (7.0) on streams' groups have a counter; a target makes it up where it is missing."""
EXAMPLES = 10
_FIELD_EXPIRY = {REDIS: frozenset({22, 23, 24, 25}), VALKEY: frozenset({22})}


class Fate(Enum):
    """What becomes of a key of the source."""

    NEW = "to be written"
    STAGED = "loaded before"
    DONE = "there already"
    CONFLICT = "another value has its place"


class KeySet:
    """Many keys by the hash of their names, eight bytes each; of this process only, as Python's hash is."""

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._hashes = array("q", sorted(hashes))

    def __contains__(self, key: bytes) -> bool:
        return self.has(hash(key))

    def has(self, name: int) -> bool:
        """The same by the hash."""
        at = bisect_left(self._hashes, name)
        return at < len(self._hashes) and self._hashes[at] == name

    def __len__(self) -> int:
        return len(self._hashes)


@dataclass
class Content:
    """What the source holds, by the target's number. `digests` has every routed key that hasn't expired."""

    digests: DigestSpool
    version: int
    dialect: Dialect
    parts: dict[int, Part] = field(default_factory=dict)
    expired: int = 0
    unrouted: tuple[Unrouted, ...] = ()
    garbage: tuple[str, ...] = ()
    unwritable: list[str] = field(default_factory=list)
    """Keys that have no commands, up to EXAMPLES of them."""
    field_expiry: list[str] = field(default_factory=list)

    @property
    def keys(self) -> int:
        """How many keys a target gets or has."""
        return self.digests.records

    def digests_for(self, dialect: Dialect) -> KeyDigests:
        """Digests by which the target's keys can be compared with these."""
        return digests_for(dialect, self.version)


def digests_for(dialect: Dialect, version: int) -> KeyDigests:
    """Digests for a source of an RDB version; a target's are made in the same way."""
    return KeyDigests(dialect, entries_read=version >= COUNTS_ENTRIES_READ)


def survey(copy: LocalCopy, routes: Routes, now: int, folder: Path) -> Content:
    """Read the copy to its end. `now` is the target's time in milliseconds. Raises DamagedRdb."""
    content = Content(DigestSpool(folder), 0, REDIS)
    tallies: dict[int, Tally] = {}
    unrouted, garbage = UnroutedKeys(), list[bytes]()
    digests = None
    with copy.open() as source:
        reader = Reader(source)
        for entry in reader:
            if digests is None:
                digests = digests_for(reader.dialect, reader.version)
            key = entry.key
            section = routes.section_of(key)
            if section is None:
                if key in GARBAGE:
                    garbage.append(key)
                else:
                    unrouted.add(key)
                continue
            expires_at = entry.expires_at
            if is_over(expires_at, now):
                content.expired += 1
                continue
            _note_limits(content, entry, reader.dialect)
            number = routes.sections[section].database_number
            row = row_of(entry, digests)
            content.digests.add(number, key, row[1])
            if number not in tallies:
                tallies[number] = Tally(reader.dialect, reader.began_at)
            tallies[number].add_rows([row])
        content.version, content.dialect = reader.version, reader.dialect
    content.parts = {number: part_of(tally) for number, tally in tallies.items()}
    content.unrouted, content.garbage = unrouted.found(), tuple(map(shown, garbage))
    return content


def _note_limits(content: Content, entry: Entry, dialect: Dialect) -> None:
    if not can_be_split(entry, dialect) and len(content.unwritable) < EXAMPLES:
        content.unwritable.append(f"{shown(entry.key)} ({dialect.types[entry.code].name})")
    if entry.code in _FIELD_EXPIRY[dialect] and len(content.field_expiry) < EXAMPLES:
        content.field_expiry.append(f"{shown(entry.key)} ({dialect.types[entry.code].name})")


def look(streams: Endpoint, numbers: Iterable[int], version: int, folder: Path) -> DigestSpool:
    """Digests of all that the target holds in these databases, by its stream. Raises as ReplicationStream."""
    wanted = frozenset(numbers)
    spool = DigestSpool(folder)
    try:
        with ReplicationStream(streams) as stream:
            reader = Reader(stream)
            digests = None
            for entry in reader:
                if digests is None:
                    digests = digests_for(reader.dialect, version)
                if entry.database in wanted:
                    spool.add(entry.database, entry.key, digests.of(entry))
    except BaseException:
        spool.close()
        raise
    return spool


@dataclass(frozen=True)
class Fates:
    """How many keys of each target have which fate, and which keys they are. `stale` is to leave staging."""

    counts: Mapping[int, Counter[Fate]]
    sets: Mapping[Fate, KeySet]
    stale: KeySet

    def count(self, fate: Fate) -> int:
        """Of all targets."""
        return sum(counter[fate] for counter in self.counts.values())


def decide(content: Content, found: DigestSpool, staging: int | None, marker: bytes) -> Fates:
    """Meet what the source holds with what the target does. `marker` is the key in staging that stays."""
    own = hash(marker)
    counts: dict[int, Counter[Fate]] = {number: Counter() for number in content.parts}
    hashes: dict[Fate, array[int]] = {fate: array("q") for fate in Fate}
    stale = array("q")
    for partition in range(PARTITIONS):
        there = dict(found.partition(partition))
        for (name, number), digest in content.digests.partition(partition):
            present = there.get((name, number))
            staged = there.pop((name, staging or 0), None) if staging else None
            if present is None:
                fate = Fate.STAGED if staged == digest else Fate.NEW
            else:
                fate = Fate.DONE if present == digest else Fate.CONFLICT
            if staged is not None and fate is not Fate.STAGED:
                stale.append(name)
            counts[number][fate] += 1
            hashes[fate].append(name)
        # What is left of an earlier run, and isn't the source's any more.
        stale.extend(name for name, number in there if number == staging and name != own)
    # New keys are all but the others: needn't be held.
    del hashes[Fate.NEW]
    return Fates(counts, {fate: KeySet(names) for fate, names in hashes.items()}, KeySet(stale))


def meet(
    content: Content, found: DigestSpool, place: Callable[[int, int], int | None]
) -> Iterator[tuple[int, int, int, int | None]]:
    """Each key of the source beside what is found: (hash of its name, target's number, digest, found digest).

    `place(hash, number of the target)` says in which database to look, or None not to.
    """
    for partition in range(PARTITIONS):
        there = dict(found.partition(partition))
        for (name, target), digest in content.digests.partition(partition):
            number = place(name, target)
            if number is not None:
                yield name, target, digest, there.get((name, number))


def is_over(expires_at: int | None, now: int) -> bool:
    """Whether a key's time is over, in milliseconds."""
    return expires_at is not None and expires_at <= now


def named(copy: LocalCopy, keys: KeySet) -> Iterator[tuple[bytes, int | None]]:
    """The names of these keys, with their expiries (milliseconds)."""
    if not len(keys):
        return
    with copy.open() as source:
        for entry in Reader(source):
            if entry.key in keys:
                yield entry.key, entry.expires_at
