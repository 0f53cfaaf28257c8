"""Making a plan from the server's stream, read once: the safety archive is a copy of the same bytes.

Memory doesn't grow with the number of keys: names go to the plan file, digests of what the targets hold to
a spool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from autobot_ops.migration.collisions import find_collisions
from autobot_ops.migration.digest_spool import DigestSpool
from autobot_ops.migration.plan import (
    LargestKey,
    MigrationPlan,
    Part,
    SectionPlan,
    ServerIdentity,
    Unrouted,
    add_parts,
    section_plan,
    shown,
    stays,
)
from autobot_ops.migration.plan_file import PlanFile, PlanWriter, SectionWriter
from autobot_ops.migration.routes import GARBAGE, SOURCE_NUMBER, Routes
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Output, Splitter
from autobot_ops.rdb.summary import Summary
from autobot_ops.rdb.window import Source

Progress = Callable[[int, int], object]
"""Called with the bytes of the stream and the keys that have gone by."""

MOST_PREFIXES = 500
EXAMPLES = 3
OTHER_PREFIX = "…"


class SafetyArchive(Protocol):
    """Takes a copy of the stream, and makes an archive of it when the stream has ended well.

    The seam to `autobot_ops.backup`: outputs take RDB files as `Splitter` writes them.
    """

    def open_database(self, number: int, /) -> Output | None:
        """What the file of a database is written to; None where it isn't kept."""
        ...

    def open_instance(self) -> Output | None:
        """What the instance's file (function libraries) is written to."""
        ...

    def commit(self, reader: Reader, databases: Mapping[int, Part], /) -> str:
        """All files are complete: make them an archive, on disk for good. Its id."""
        ...

    def abort(self) -> None:
        """Leave nothing; harmless after `commit`."""
        ...


class Tally:
    """Adds up a set of keys."""

    def __init__(self, began_at: int) -> None:
        self.prints = Fingerprinter(began_at)
        self.summary = Summary()

    def part(self) -> Part:
        """What they add up to."""
        return Part(
            keys=self.summary.keys,
            keys_with_expiry=self.summary.keys_with_expiry,
            bytes=self.summary.size,
            fingerprint=self.prints.fingerprint,
            expiring=self.prints.expiring,
            largest=tuple(
                LargestKey(key=shown(each.key), kind=each.kind, bytes=each.size)
                for each in self.summary.largest
            ),
        )


class UnroutedKeys:
    """Counts keys by what their names begin with; memory is bounded by MOST_PREFIXES."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._examples: dict[bytes, list[bytes]] = {}

    def add(self, key: bytes) -> None:
        """Count a key."""
        prefix = prefix_of(key)
        if prefix not in self._counts and len(self._counts) >= MOST_PREFIXES:
            prefix = b""
        self._counts[prefix] += 1
        examples = self._examples.setdefault(prefix, [])
        if len(examples) < EXAMPLES:
            examples.append(key)

    def found(self) -> tuple[Unrouted, ...]:
        """The prefixes, the most frequent first."""
        return tuple(
            Unrouted(
                prefix=shown(prefix) if prefix else OTHER_PREFIX,
                keys=count,
                examples=tuple(map(shown, self._examples[prefix])),
            )
            for prefix, count in self._counts.most_common()
        )


def prefix_of(key: bytes) -> bytes:
    """What stands before the first colon, slash, dot, dash or underscore, with it; else up to 16 bytes."""
    for index, byte in enumerate(key[:64]):
        if byte in b":/.-_":
            return key[: index + 1]
    return key[:16]


def read_plan(
    source: Source,
    routes: Routes,
    path: Path,
    *,
    plan_id: str,
    server: ServerIdentity,
    catalog_digest: str,
    archive: SafetyArchive | None = None,
    progress: Progress | None = None,
) -> tuple[PlanFile, str]:
    """Read a stream to its end and write the plan of it to `path`: the plan, and the archive's id ("" = none).

    Raises what the source raises, DamagedRdb, UnsupportedRdb, JournalFailed, and what the archive raises;
    then no plan is there, and no archive.
    """
    splitter = _Watched(
        source,
        archive.open_database if archive else lambda _: None,
        archive.open_instance if archive else None,
    )
    plan = PlanWriter(path)
    spool = DigestSpool(path.parent)
    try:
        collector = _Collector(splitter.reader, routes, plan, spool, progress)
        collector.run(splitter)
        archive_id = archive.commit(splitter.reader, collector.whole()) if archive else ""
        sections = collector.sections()
        facts = MigrationPlan(
            id=plan_id,
            origin="stream",
            server=server,
            catalog_digest=catalog_digest,
            routes=routes.router.patterns,
            began_at=splitter.reader.began_at,
            stream_bytes=splitter.reader.window.offset,
            sections=sections,
            stays=collector.staying(),
            before={number: tally.part() for number, tally in collector.others.items()},
            unrouted=collector.unrouted.found(),
            garbage=tuple(map(shown, collector.garbage)),
            collisions=find_collisions(plan.written, sections, spool, path.parent) if spool.records else (),
        )
        plan.finish(facts.model_dump(mode="json"))
        return PlanFile(path), archive_id
    finally:
        plan.discard()
        spool.close()
        if archive is not None:
            archive.abort()


class _Watched(Splitter):
    """A splitter whose entries are counted by somebody else."""

    def __iter__(self) -> Iterator[Entry]:
        yield from self.reader
        self._finish()


class _Collector:
    """What is learnt from a stream on the way."""

    def __init__(
        self, reader: Reader, routes: Routes, plan: PlanWriter, spool: DigestSpool, progress: Progress | None
    ) -> None:
        self._reader = reader
        self._routes = routes
        self._plan = plan
        self._spool = spool
        self._progress = progress
        self._targets = {each.database_number for each in routes.sections} - {SOURCE_NUMBER}
        self._tallies: list[Tally] = []
        self._stray = Tally(0)
        self.others: dict[int, Tally] = {}
        self.unrouted = UnroutedKeys()
        self.garbage: list[bytes] = []
        self._keys = 0

    def run(self, splitter: Splitter) -> None:
        """Take every entry of the stream."""
        reader, routes = self._reader, self._routes
        section_of = routes.section_of
        digest_of = None
        others = None
        began_at = 0
        writers: list[SectionWriter | None] = []
        for entry in splitter:
            if digest_of is None:
                digest_of = KeyDigests(reader.dialect).of
                began_at = reader.began_at
                self._tallies = [Tally(began_at) for _ in routes.sections]
                self._stray = Tally(began_at)
                writers = [
                    None if stays(each) else self._plan.section(index, each.database_number)
                    for index, each in enumerate(routes.sections)
                ]
            digest = digest_of(entry)
            if entry.database == SOURCE_NUMBER:
                section = section_of(entry.key)
                if section is None:
                    tally = self._stray
                    self._note_stray(entry.key)
                else:
                    tally = self._tallies[section]
                    writer = writers[section]
                    if writer is not None:
                        writer.add(entry.key, digest, entry.expires_at)
            else:
                others = self.others.get(entry.database)
                if others is None:
                    others = self.others[entry.database] = Tally(began_at)
                tally = others
                if entry.database in self._targets:
                    self._spool.add(entry.database, entry.key, digest)
            tally.prints.add(digest, entry.expires_at)
            tally.summary.add(entry)
            self._keys += 1
            if self._progress is not None and not self._keys & 0x3FFF:
                self._progress(reader.window.offset, self._keys)

    def _note_stray(self, key: bytes) -> None:
        if key in GARBAGE:
            self.garbage.append(key)
        else:
            self.unrouted.add(key)

    def sections(self) -> tuple[SectionPlan, ...]:
        """The sections that move, all of the routes', so that their places are those of the plan."""
        tallies = self._tallies or [Tally(0) for _ in self._routes.sections]
        return tuple(
            section_plan(section, Part() if stays(section) else tally.part())
            for section, tally in zip(self._routes.sections, tallies, strict=True)
        )

    def staying(self) -> Part:
        """What stays in database 0: its own keys and those that nobody claims."""
        return add_parts(
            [self._stray.part()]
            + [
                tally.part()
                for section, tally in zip(self._routes.sections, self._tallies, strict=False)
                if stays(section)
            ]
        )

    def whole(self) -> Mapping[int, Part]:
        """Every database as it is in the stream, for the archive."""
        source = add_parts(tally.part() for tally in (self._stray, *self._tallies))
        found = {number: tally.part() for number, tally in self.others.items()}
        return {SOURCE_NUMBER: source, **found} if source.keys else found
