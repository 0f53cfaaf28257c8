"""Making a plan with SCAN: for sweeps behind a stream, and where the stream isn't to be had.

Not one point in time, and it knows names only: no sizes, expiries or fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hiredis

from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import MoveRefused
from autobot_ops.migration.plan import MigrationPlan, Part, SectionPlan, ServerIdentity, shown, stays
from autobot_ops.migration.plan_file import PlanFile, PlanWriter
from autobot_ops.migration.routes import GARBAGE, SOURCE_NUMBER, Routes
from autobot_ops.migration.tally import UnroutedKeys

SCAN_COUNT = 500
"""Buckets of the hash table that one command walks: some 2 ms at most for others."""


def scan_plan(
    connection: Connection,
    routes: Routes,
    path: Path,
    *,
    plan_id: str,
    server: ServerIdentity,
    catalog_digest: str,
    progress: Callable[[int], object] | None = None,
) -> PlanFile:
    """Walk database 0 and write the plan of it to `path`. A key that stays is seen, one may be seen twice.

    Raises ServerLost, MoveRefused where the user may not scan, and JournalFailed.
    """
    writer = PlanWriter(path)
    try:
        sections = [
            None if stays(each) else writer.section(index, each.database_number)
            for index, each in enumerate(routes.sections)
        ]
        counts = [0] * len(sections)
        unrouted, garbage, staying, keys = UnroutedKeys(), list[bytes](), 0, 0
        connection.select(SOURCE_NUMBER)
        request = "SCAN %s COUNT %d\r\n"
        connection.send((request % ("0", SCAN_COUNT)).encode())
        while True:
            reply = connection.replies(1)[0]
            if isinstance(reply, hiredis.ReplyError) or not isinstance(reply, list):
                raise MoveRefused(
                    f"{connection.endpoint} refuses to scan: {reply}",
                    hint="inv database.reload brings rights in line.",
                )
            cursor, names = reply
            if cursor != b"0":
                # The server walks on while these are routed.
                connection.send((request % (cursor.decode(), SCAN_COUNT)).encode())
            for key in names:
                section = routes.section_of(key)
                section_writer = None if section is None else sections[section]
                if section_writer is not None and section is not None:
                    section_writer.add((key,), (0,), (None,))
                    counts[section] += 1
                    continue
                staying += 1
                if section is None and key in GARBAGE:
                    garbage.append(key)
                elif section is None:
                    unrouted.add(key)
            keys += len(names)
            if progress is not None:
                progress(keys)
            if cursor == b"0":
                break
        facts = MigrationPlan(
            id=plan_id,
            origin="scan",
            server=server,
            catalog_digest=catalog_digest,
            routes=routes.router.patterns,
            began_at=0,
            sections=tuple(
                SectionPlan(
                    database_name=each.database_name,
                    database_number=each.database_number,
                    group=each.group,
                    keys=count,
                )
                for each, count in zip(routes.sections, counts, strict=True)
            ),
            stays=Part(keys=staying),
            unrouted=unrouted.found(),
            garbage=tuple(map(shown, garbage)),
        )
        writer.finish(facts.model_dump(mode="json"))
    finally:
        writer.discard()
    return PlanFile(path)
