"""Dump one PostgreSQL database, with an account of what is in the dump.

The dump is `pg_dump`'s custom format without compression, since the archive compresses. Account and dump
come from one snapshot, so a restored database can be compared with it row for row.
"""

from __future__ import annotations

from typing import Protocol

from autobot_ops.adapters.postgres_session import PostgresUnreachable, explained, session
from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.postgres_content import SETTINGS, PostgresContent, read_content, table_names
from autobot_ops.errors import ExternalCommandFailed

LOCK_WAIT_MILLISECONDS = 60_000


class DumpFailed(ExternalCommandFailed):
    """The dump ended before it was whole; what was written of it must not be kept."""


class Writer(Protocol):
    """Where the bytes of a dump go."""

    def write(self, data: bytes, /) -> object:
        """Take them all."""
        ...


def dump_database(runner: Runner, database: str, writer: Writer) -> PostgresContent:
    """Write the dump; what it holds, for the manifest. `runner` reaches the server with psql and pg_dump.

    Nothing is locked but against DROP, TRUNCATE and ALTER of the tables. Raises PostgresUnreachable,
    UnknownPostgresDatabase, StatementFailed and DumpFailed; what was written must be dropped then.
    """
    with session(runner, database) as live:
        live.do(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {SETTINGS}")
        snapshot = live.ask("SELECT to_json(pg_export_snapshot())")
        # TRUNCATE is seen through every snapshot; against this lock it has to wait.
        if tables := table_names(live):
            live.do(f"SET lock_timeout = {LOCK_WAIT_MILLISECONDS}; LOCK TABLE ONLY {', ONLY '.join(tables)}"
                    " IN ACCESS SHARE MODE;")  # fmt: skip
        content = read_content(live, database)
        try:
            for chunk in runner.stream(
                "pg_dump", "--format=custom", "--compress=0", f"--snapshot={snapshot}", "--no-password",
                f"--lock-wait-timeout={LOCK_WAIT_MILLISECONDS}", f"--dbname={database}",
            ):  # fmt: skip
                writer.write(chunk)
        except CommandFailed as error:
            named = explained(error, database)
            if isinstance(named, PostgresUnreachable):
                raise named from error
            raise DumpFailed(
                f"the dump of '{database}' broke off: {named.message}",
                hint="Nothing was kept; run it again. inv logs postgres says more.",
            ) from error
    return content
