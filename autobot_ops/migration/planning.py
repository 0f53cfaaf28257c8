"""Making a plan from the server's stream, read once, while the same bytes are copied into the safety archive.

Memory doesn't grow with the number of keys: names go to the plan file, digests of what the targets hold to
a spool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.backup.stream_copy import CopiedDatabase, CopiedStream, Progress
from autobot_ops.migration.collisions import find_collisions
from autobot_ops.migration.digest_spool import DigestSpool
from autobot_ops.migration.plan import (
    MigrationPlan,
    Part,
    SectionPlan,
    ServerIdentity,
    add_parts,
    section_plan,
    shown,
    stays,
)
from autobot_ops.migration.plan_file import PlanWriter, SectionWriter
from autobot_ops.migration.routes import GARBAGE, SOURCE_NUMBER, Routes
from autobot_ops.migration.tally import Tally, UnroutedKeys, part_of
from autobot_ops.rdb.fingerprint import Fingerprint, KeyDigests
from autobot_ops.rdb.listing import KeyListing, Row
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Output, Splitter
from autobot_ops.rdb.window import Source


@dataclass(frozen=True)
class Purpose:
    """What a plan is made for, as it is written into it."""

    plan_id: str
    server: ServerIdentity
    catalog_digest: str


def nowhere(_number: int) -> Output | None:
    """No copy of any database is kept."""
    return None


class PlanMaker:
    """Reads a stream into a plan.

    `copy` has the shape of `backup.stream_copy.copy_stream`, so whoever makes archives by that can give a
    plan on the way; called again (the stream broke off), it begins anew.
    """

    def __init__(self, routes: Routes, path: Path, purpose: Purpose) -> None:
        self._routes = routes
        self._path = path
        self._purpose = purpose

    def copy(
        self,
        source: Source,
        wanted: Collection[int] = (),
        open_database: Callable[[int], Output | None] = nowhere,
        open_instance: Callable[[], Output | None] | None = None,
        *,
        progress: Progress | None = None,
    ) -> CopiedStream:
        """Read `source` to its end, copy the wanted databases as copy_stream does, and write the plan.

        Raises as copy_stream, and JournalFailed where the plan can't be written; then there is none.
        """
        splitter = Splitter(
            source, lambda number: open_database(number) if number in wanted else None, open_instance
        )
        plan = PlanWriter(self._path)
        spool = DigestSpool(self._path.parent)
        try:
            collector = _Collector(splitter.reader, self._routes, plan, spool, progress)
            collector.run()
            splitter.finish()
            for number in sorted(set(wanted) - set(splitter.writers)):
                output = open_database(number)
                if output is not None:
                    splitter.add_empty(number, output)
            sections = collector.sections()
            collisions = find_collisions(plan.written, sections, spool, self._path.parent)
            facts = MigrationPlan(
                id=self._purpose.plan_id,
                origin="stream",
                server=self._purpose.server,
                catalog_digest=self._purpose.catalog_digest,
                routes=self._routes.router.patterns,
                began_at=splitter.reader.began_at,
                stream_bytes=splitter.reader.window.offset,
                sections=sections,
                stays=collector.staying(),
                before={number: part_of(count) for number, count in collector.others.items()},
                unrouted=collector.unrouted.found(),
                garbage=tuple(map(shown, collector.garbage)),
                collisions=collisions,
            )
            plan.finish(facts.model_dump(mode="json"))
            return _copied(splitter, collector.whole(), wanted)
        finally:
            plan.discard()
            spool.close()


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
        self._takers: dict[int, KeyListing] = {}
        self._tallies: list[Tally] = []
        self._strays: Tally | None = None
        self._writers: list[SectionWriter | None] = []
        self._planned = 0
        self.others: dict[int, Tally] = {}
        self.unrouted = UnroutedKeys()
        self.garbage: list[bytes] = []

    def run(self) -> None:
        """Take every key of the stream."""
        self._reader.taker = self._taker
        for entry in self._reader:
            self._taker(entry.database).add(entry)

    def _taker(self, number: int) -> KeyListing:
        taker = self._takers.get(number)
        if taker is None:
            taker = self._takers[number] = self._make_taker(number)
        return taker

    def _make_taker(self, number: int) -> KeyListing:
        dialect, began_at = self._reader.dialect, self._reader.began_at
        digests = KeyDigests(dialect)
        if number == SOURCE_NUMBER:
            self._tallies = [Tally(dialect, began_at) for _ in self._routes.sections]
            self._strays = Tally(dialect, began_at)
            self._writers = [
                None if stays(each) else self._plan.section(index, each.database_number)
                for index, each in enumerate(self._routes.sections)
            ]
            return KeyListing(digests, self._take_source)
        tally = self.others[number] = Tally(dialect, began_at)
        if number not in self._targets:
            return KeyListing(digests, tally.add_rows)
        spool = self._spool.add

        def take_target(rows: list[Row]) -> None:
            tally.add_rows(rows)
            for key, digest, *_ in rows:
                spool(number, key, digest)

        return KeyListing(digests, take_target)

    def _take_source(self, rows: list[Row]) -> None:
        section_of = self._routes.section_of
        by_section: defaultdict[int | None, list[Row]] = defaultdict(list)
        for row in rows:
            by_section[section_of(row[0])].append(row)
        for section, found in by_section.items():
            if section is None:
                self._take_strays(found)
                continue
            self._tallies[section].add_rows(found)
            writer = self._writers[section]
            if writer is not None:
                keys, digests, _, expiries, _, _ = zip(*found, strict=True)
                writer.add(keys, digests, expiries)
                self._planned += len(found)
        if self._progress is not None:
            self._progress(self._reader.window.offset, self._planned)

    def _take_strays(self, rows: list[Row]) -> None:
        assert self._strays is not None  # noqa: S101 (for the type checker: made with the taker)
        self._strays.add_rows(rows)
        for key, *_ in rows:
            if key in GARBAGE:
                self.garbage.append(key)
            else:
                self.unrouted.add(key)

    def sections(self) -> tuple[SectionPlan, ...]:
        """All sections of the routes, in their order; those that stay are empty."""
        parts = [part_of(tally) for tally in self._tallies] or [Part()] * len(self._routes.sections)
        return tuple(
            section_plan(section, Part() if stays(section) else part)
            for section, part in zip(self._routes.sections, parts, strict=True)
        )

    def staying(self) -> Part:
        """What stays in database 0: its own keys and those that nobody claims."""
        own = [
            part_of(tally)
            for section, tally in zip(self._routes.sections, self._tallies, strict=False)
            if stays(section)
        ]
        return add_parts([*own, *([part_of(self._strays)] if self._strays else [])])

    def whole(self) -> Mapping[int, list[Tally]]:
        """Every database as it is in the stream, in parts."""
        found: dict[int, list[Tally]] = {each: [count] for each, count in self.others.items()}
        if self._strays is not None:
            found[SOURCE_NUMBER] = [self._strays, *self._tallies]
        return found


def _copied(splitter: Splitter, counts: Mapping[int, list[Tally]], wanted: Collection[int]) -> CopiedStream:
    reader = splitter.reader
    databases = {}
    for number in sorted(wanted):
        parts = counts.get(number, [])
        databases[number] = CopiedDatabase(
            number,
            sum(part.summary.keys for part in parts),
            sum(part.summary.keys_with_expiry for part in parts),
            splitter.writers[number].size,
            sum((part.prints.fingerprint for part in parts), Fingerprint()),
        )
    return CopiedStream(
        header=reader.header.decode("ascii"),
        fields={_text(name): _text(value) for name, value in reader.fields.items()},
        began_at=reader.began_at,
        bytes=reader.window.offset,
        databases=databases,
        unwanted={
            number: sum(part.summary.keys for part in parts)
            for number, parts in sorted(counts.items())
            if number not in wanted
        },
        instance_bytes=splitter.instance_writer.size if splitter.instance_writer else None,
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
