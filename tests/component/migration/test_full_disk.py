"""A disk that fills up under a migration: it stops where the journal says, and goes on later."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autobot_ops.errors import OpsError
from autobot_ops.migration.errors import (
    JournalFailed,
)
from autobot_ops.migration.run_folder import JOURNAL
from autobot_ops.verbs.migration_steps import Options
from tests.component.migration.migrating import (
    migrate,
    misplaced,
    session,
    union,
)
from tests.component.rdb.data_server import DataServer


def migrate_with_room_for(size: int, server: DataServer, state_dir: Path) -> None:
    """In a process of its own: no file may be longer. Ends with the error's exit code."""
    # What pytest captures is written into files too.
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (the process ends with it)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        migrate(server, state_dir)
    except JournalFailed as error:
        os._exit(error.exit_code)


def exit_code_with_room_for(size: int, server: DataServer, state_dir: Path) -> int | None:
    process = multiprocessing.get_context("fork").Process(
        target=migrate_with_room_for, args=(size, server, state_dir)
    )
    process.start()
    process.join(30)
    return process.exitcode


def test_a_full_disk_for_the_plan_stops_before_anything_moves(server: DataServer, state_dir: Path) -> None:
    assert exit_code_with_room_for(20_000, server, state_dir) == JournalFailed.exit_code
    assert server.command("DBSIZE") == 3000
    assert [each.name for each in (state_dir / "migrations").iterdir()] == ["lock"]


def test_a_full_disk_for_looking_at_the_targets_stops_before_anything_moves(
    server: DataServer, state_dir: Path
) -> None:
    migrate(server, state_dir)
    server.client().set("session:late", "x")
    assert exit_code_with_room_for(4_000, server, state_dir) == JournalFailed.exit_code
    assert server.client().exists("session:late")
    migrate(server, state_dir)
    assert misplaced(server) == []


def test_a_full_disk_for_the_journal_stops_where_the_journal_says(
    server: DataServer, state_dir: Path
) -> None:
    whole = union(server)
    place = session(server.port, state_dir)
    saved = state_dir.parent / "plan"
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    run = place.adopt_plan(saved, datetime.now(UTC))
    run.write("began", server=str(place.commands), replication_ids=[], keys=0, archive="")
    run.close()
    room = (run.path / JOURNAL).stat().st_size + 10
    assert exit_code_with_room_for(room, server, state_dir) == JournalFailed.exit_code
    assert server.command("DBSIZE") == 3000
    migrate(server, state_dir)
    assert union(server) == whole
    assert misplaced(server) == []


def test_an_unwritable_state_folder_is_one_clear_error(server: DataServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OpsError, match="can't use"):
        migrate(server, tmp_path / "file")
    assert server.command("DBSIZE") == 3000
