"""A dump of PostgreSQL is read to its end by pg_restore itself."""

from __future__ import annotations

import io
import os
import random
import subprocess
from collections.abc import Callable

import pytest

from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.dump_check import DumpCheck
from autobot_ops.backup.errors import DamagedPart
from tests.component.postgres_process import BINARIES, PostgresProcess

HERE = Runner(env={"PATH": f"{BINARIES}:{os.environ['PATH']}"})


@pytest.fixture
def dump(postgres_process: PostgresProcess) -> bytes:
    """Some 20,000 rows, in pg_dump's custom format."""
    postgres_process.execute(
        "CREATE TABLE knowledge.entries AS SELECT n, md5(n::text) AS text FROM generate_series(1, 20000) n",
        database="autobot",
    )
    where = ["-h", "127.0.0.1", "-p", str(postgres_process.port), "-U", "admin"]
    return subprocess.run(
        [str(BINARIES / "pg_dump"), "--format=custom", *where, "autobot"],
        env={**os.environ, "PGPASSWORD": postgres_process.password},
        check=True,
        capture_output=True,
    ).stdout


def test_a_sound_dump_passes(dump: bytes) -> None:
    DumpCheck(HERE)(io.BytesIO(dump))


def test_a_truncated_dump_is_refused(dump: bytes) -> None:
    for length in (0, 5, 100, len(dump) // 2, len(dump) - 100):
        with pytest.raises(DamagedPart, match="pg_restore can't read it"):
            DumpCheck(HERE)(io.BytesIO(dump[:length]))


def test_changed_data_are_refused(dump: bytes, record_property: Callable[[str, object], None]) -> None:
    """As far as zlib sees them: the archive's own checksums see the rest."""
    chosen = random.Random(7)
    seen = 0
    for _ in range(20):
        spoilt = bytearray(dump)
        spoilt[chosen.randrange(len(dump) // 2, len(dump) - 200)] ^= 0x40
        try:
            DumpCheck(HERE)(io.BytesIO(spoilt))
        except DamagedPart:
            seen += 1
    assert seen >= 18
    record_property("changed dumps that pg_restore itself refuses, of 20", seen)


def test_a_missing_pg_restore_is_no_damage(dump: bytes) -> None:
    with pytest.raises(CommandFailed):
        DumpCheck(Runner(("sh", "-c", "exit 127")))(io.BytesIO(dump))
