"""A session of psql with one database: statements that stay in one transaction and one snapshot.

psql runs where the server does, as its superuser: no password leaves the container. What it may connect
as is said by libpq's own variables (PGUSER, PGHOST, …) where it runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from autobot_ops.adapters.process import Child, CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.errors import ExternalCommandFailed, OpsError, ServiceUnreachable

_PSQL = (
    "psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align",
    "--set=ON_ERROR_STOP=1",
)  # fmt: skip
_CONNECTION_LOST = 2
"""psql's exit code where the connection went bad; for a statement's error it is 3."""
_SEVERITY = re.compile(r"\b(?:ERROR|FATAL|error): +")
_OUT_OF_REACH = ("is not running", "connection to server", "server closed", "terminating connection")
"""What psql, pg_dump, pg_restore and Compose say where there is no server to speak with."""


class PostgresUnreachable(ServiceUnreachable):
    """PostgreSQL doesn't run, or ended while it was worked with."""


class StatementFailed(ExternalCommandFailed):
    """PostgreSQL refused a statement; `reason` is what it said."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"PostgreSQL says: {reason}", hint="inv logs postgres says more.")
        self.reason = reason


class UnknownPostgresDatabase(ExternalCommandFailed):
    """The server has no database of that name."""


class Session:
    """Statements, one after the other, on one connection."""

    def __init__(self, child: Child, database: str) -> None:
        self._child = child
        self._database = database

    def do(self, statements: str) -> None:
        """Statements without rows. What they raise is raised by the next `ask`, at the latest."""
        try:
            self._child.write(statements.encode() + b"\n")
        except CommandFailed as error:
            raise explained(error, self._database) from error

    def ask(self, statement: str) -> object:
        """The JSON value that is the only column of the statement's only row."""
        self.do(" ".join(statement.split()) + ";")
        try:
            answer = self._child.read_line()
        except CommandFailed as error:
            raise explained(error, self._database) from error
        return json.loads(answer)


@contextmanager
def session(runner: Runner, database: str) -> Iterator[Session]:
    """Connect to a database and hang up at the end; an open transaction is rolled back.

    Raises PostgresUnreachable, UnknownPostgresDatabase, StatementFailed.
    """
    with runner.converse(*_PSQL, f"--dbname={database}") as child:
        yield Session(child, database)


def run_script(runner: Runner, database: str, script: str) -> str:
    """What statements print; the first error ends them. Raises as `session` does."""
    try:
        return runner.query(*_PSQL, "--file=-", f"--dbname={database}", input_text=script)
    except CommandFailed as error:
        raise explained(error, database) from error


def explained(error: CommandFailed, database: str) -> OpsError:
    """The failure of one of PostgreSQL's programs, by its name."""
    said = [line.strip() for line in error.output.splitlines() if line.strip()]
    reason = next((line for line in said if _SEVERITY.search(line)), said[-1] if said else error.message)
    reason = _SEVERITY.split(reason)[-1].strip()
    if f'database "{database}" does not exist' in reason:
        return UnknownPostgresDatabase(
            f"PostgreSQL has no database '{database}'", hint="inv restart postgres makes it anew, empty."
        )
    if error.status == _CONNECTION_LOST or any(words in error.output for words in _OUT_OF_REACH):
        return PostgresUnreachable(
            f"PostgreSQL does not answer: {reason}",
            hint="inv status says whether it runs; inv up starts it.",
        )
    return StatementFailed(reason)
