"""Put a dumped PostgreSQL database in the place of the live one.

Three names say how far it has come, and nothing else has to be remembered:

- `<live>_restore_<id>`: being filled and compared. Nobody uses it; a crash leaves it to `clear_staged`.
- `<live>`: the one that everybody uses. Two renames in one transaction exchange it, so that at every
  moment it is the whole former or the whole restored one.
- `<live>_former_<id>`: what was live before; it stays until `commit` drops it or `undo` takes it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from autobot_ops.adapters.postgres_session import (
    PostgresUnreachable,
    StatementFailed,
    explained,
    run_script,
    session,
)
from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.postgres_content import SETTINGS, PostgresContent, differences, read_content
from autobot_ops.errors import ExternalCommandFailed, RefusedForSafety
from autobot_ops.restore.postgres_renewal import renew

MAINTENANCE = "postgres"
"""The database from which others are made, renamed and dropped."""
RESTORE_ID = re.compile(r"[a-z0-9_]{1,40}")
DISK_MARGIN = 64 * 1024**2
WAL_AT_MOST = 1024**3
"""PostgreSQL's default of max_wal_size, in bytes: what loading writes besides the tables."""
EXCHANGE_ATTEMPTS = 5
_PASSES = ("is being accessed by other users", "deadlock detected")

_RIGHTS = """
SELECT json_build_array(
  (SELECT array_agg(right_granted::text ORDER BY right_granted::text)
     FROM unnest(datacl) AS right_granted),
  (SELECT json_agg(json_build_array(setrole::regrole, setconfig) ORDER BY setrole)
     FROM pg_db_role_setting WHERE setdatabase = pg_database.oid),
  datdba::regrole)
  FROM pg_database WHERE datname = '{name}'
"""
_NAMED = """
SELECT coalesce(json_agg(datname ORDER BY datname), '[]')
  FROM pg_database WHERE starts_with(datname, '{prefix}')
"""
_CREATE = r"""
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
              :'staged', pg_encoding_to_char(encoding), datcollate, datctype)
  FROM pg_database WHERE datname = :'live' \gexec
REVOKE ALL ON DATABASE :"staged" FROM PUBLIC;
"""
# The lock keeps newcomers out: whoever connects reads this table first, and waits for the milliseconds
# that it takes. Without it an agent that reconnects quickly could hold the rename up for ever.
_EXCHANGE = r"""
BEGIN;
LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN (:'live', :'incoming');
ALTER DATABASE :"live" RENAME TO :"outgoing";
ALTER DATABASE :"incoming" RENAME TO :"live";
COMMIT;
"""


class NotEnoughDisk(RefusedForSafety):
    """The restored database doesn't fit beside the live one."""


class OlderServer(RefusedForSafety):
    """The dump comes from a newer major version than the server's."""


class LoadFailed(ExternalCommandFailed):
    """pg_restore ended with an error; the live database was not touched."""


class RestoredDiffers(RefusedForSafety):
    """What was loaded isn't what the manifest says; the live database was not touched."""


class RightsDiffer(RefusedForSafety):
    """The restored database doesn't have the live one's rights; nothing was exchanged."""


class FormerKept(RefusedForSafety):
    """A former database of another restore is still there."""


class NothingKept(RefusedForSafety):
    """There is no former database of that restore."""


@dataclass(frozen=True)
class PostgresRestore:
    """One restore, by its id (lower-case letters, digits, underscores), of the database `live`.

    Every method raises PostgresUnreachable and StatementFailed besides what it names.
    """

    runner: Runner
    live: str
    restore_id: str

    def __post_init__(self) -> None:
        if not RESTORE_ID.fullmatch(self.restore_id):
            raise ValueError(f"'{self.restore_id}' is no id of a restore")

    @property
    def staged(self) -> str:
        """Name of the database that is being filled."""
        return f"{self.live}_restore_{self.restore_id}"

    @property
    def former(self) -> str:
        """Name that the live database gets when it is replaced."""
        return f"{self.live}_former_{self.restore_id}"

    def stage(self, dump: Iterable[bytes], expected: PostgresContent) -> None:
        """Load a dump beside the live database and compare it with the manifest's account.

        Raises NotEnoughDisk, OlderServer, LoadFailed, RestoredDiffers. After an error, also one of the
        dump's own, nothing is left of it.
        """
        self._check_room(expected)
        try:
            self._script(MAINTENANCE, _CREATE, staged=self.staged, live=self.live)
            self._load(dump)
            self._compare(expected)
            run_script(self.runner, self.staged, "ANALYZE;")
            # Rights, and settings per role, as every start of the container makes them.
            self.runner.query("apply-roles", self.staged)
        except BaseException:
            _drop_if_reachable(self.runner, self.staged)
            raise

    def exchange(self) -> None:
        """Put the staged database under the live name and keep the former one.

        Whoever is connected is disconnected. Those who write must have stopped before, or what they wrote
        in the last moment goes unseen by `renew`. Raises FormerKept and RightsDiffer, before anything.
        """
        if kept := [name for name in formers(self.runner, self.live) if name != self.former]:
            raise FormerKept(
                f"'{kept[0]}' is still kept from an earlier restore",
                hint="inv restore.commit drops it, inv restore.undo takes it back.",
            )
        with session(self.runner, MAINTENANCE) as server:
            rights = [server.ask(_RIGHTS.format(name=name)) for name in (self.live, self.staged)]
        if rights[0] != rights[1]:
            raise RightsDiffer(
                f"'{self.staged}' has other rights than '{self.live}'",
                hint="Nothing was exchanged. inv up brings the container up to date; then restore again.",
            )
        renew(self.runner, self.staged, replaces=self.live)
        self._swap(incoming=self.staged, outgoing=self.former)

    def undo(self) -> None:
        """Put the former database under the live name again, and drop the restored one.

        Raises NothingKept. What was written since the exchange is lost.
        """
        if self.former not in formers(self.runner, self.live):
            raise NothingKept(
                f"there is no '{self.former}' to take back", hint="inv restore.list says what can be undone."
            )
        renew(self.runner, self.former, replaces=self.live)
        self._swap(incoming=self.former, outgoing=self.staged)
        drop(self.runner, self.staged)

    def commit(self) -> None:
        """Drop the former database, and the staged one if it was never exchanged. Idempotent."""
        drop(self.runner, self.former)
        drop(self.runner, self.staged)

    def _check_room(self, expected: PostgresContent) -> None:
        with session(self.runner, MAINTENANCE) as server:
            folder = server.ask("SELECT to_json(current_setting('data_directory'))")
            version = server.ask("SELECT to_json(current_setting('server_version'))")
        if _major(str(version)) < _major(expected.server_version):
            raise OlderServer(
                f"the dump is of PostgreSQL {expected.server_version} and the server is {version}",
                hint="Restore it into a server of at least that version.",
            )
        answer = self.runner.query("df", "--block-size=1", "--output=avail", str(folder))
        available = int(answer.split()[-1])
        needed = expected.size + min(expected.size, WAL_AT_MOST) + DISK_MARGIN
        if available < needed:
            raise NotEnoughDisk(
                f"restoring '{self.live}' takes {needed // 1024**2} MiB beside it and there are "
                f"{available // 1024**2} MiB",
                hint="Make room where the volume of postgres lies; docker system df says what takes it.",
            )

    def _load(self, dump: Iterable[bytes]) -> None:
        try:
            self.runner.feed(
                dump, "pg_restore", "--exit-on-error", "--no-password", f"--dbname={self.staged}"
            )
        except CommandFailed as error:
            named = explained(error, self.staged)
            if isinstance(named, PostgresUnreachable):
                raise named from error
            raise LoadFailed(
                f"'{self.live}' can't be restored: {named.message}",
                hint="The live database was not touched. inv backup.verify checks the archive.",
            ) from error

    def _compare(self, expected: PostgresContent) -> None:
        with session(self.runner, self.staged) as staged:
            staged.do(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {SETTINGS}")
            found = differences(expected, read_content(staged, self.staged))
        if found:
            raise RestoredDiffers(
                f"what was loaded isn't what was dumped: {'; '.join(found)}",
                hint="The live database was not touched. Take another archive: inv backup.list",
            )

    def _swap(self, *, incoming: str, outgoing: str) -> None:
        """Exchange names, at once or not at all."""
        for attempt in range(1, EXCHANGE_ATTEMPTS + 1):
            try:
                self._script(MAINTENANCE, _EXCHANGE, live=self.live, incoming=incoming, outgoing=outgoing)
            except StatementFailed as error:
                passes = any(words in error.reason for words in _PASSES)
                if not passes or attempt == EXCHANGE_ATTEMPTS:
                    raise
            else:
                return

    def _script(self, database: str, script: str, **variables: str) -> None:
        names = "".join(f"\\set {name} {value}\n" for name, value in variables.items())
        run_script(self.runner, database, names + script)


def formers(runner: Runner, live: str) -> list[str]:
    """Former databases that are kept, by name."""
    return _named(runner, f"{live}_former_")


def clear_staged(runner: Runner, live: str) -> list[str]:
    """Drop what restores that were broken off have left; the names. No restore may be under way."""
    left = _named(runner, f"{live}_restore_")
    for name in left:
        drop(runner, name)
    return left


def drop(runner: Runner, database: str) -> None:
    """Drop a database, whoever is connected to it; nothing happens where there is none."""
    run_script(runner, MAINTENANCE, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE);')


def _named(runner: Runner, prefix: str) -> list[str]:
    with session(runner, MAINTENANCE) as server:
        names = server.ask(_NAMED.format(prefix=prefix))
    assert isinstance(names, list)  # noqa: S101 - the statement makes one
    return [str(name) for name in names]


def _drop_if_reachable(runner: Runner, database: str) -> None:
    # Behind an error that matters more than this one; the next restore clears what is left.
    with suppress(ExternalCommandFailed, PostgresUnreachable):
        drop(runner, database)


def _major(version: str) -> int:
    return int(version.split(".", maxsplit=1)[0])
