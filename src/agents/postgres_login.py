"""Log in to PostgreSQL while its password or certificate may be changing.

PostgreSQL knows one password per role, so during a rotation either the secret file or the server is
ahead. Whoever has been let in before gets in either way: with the file's password, or with the one that
worked last. Whoever has not tries for some seconds, because the other side follows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from src.agents.settings import PostgresSettings

RETRY_SECONDS = 5.0
RETRY_PAUSE_SECONDS = 0.1
CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 10_000

# Neither libpq nor psycopg gives a code for what fails before a session begins. The server's messages
# are in English by its own settings (lc_messages).
_PASSES_WITH_A_ROTATION = ("password authentication failed", "certificate verify failed")


class PostgresLogin:
    """Opens connections as one role; safe across threads."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Opens no connection and reads no file."""
        self._settings = settings
        self._worked: str | None = None

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection. Raises psycopg.OperationalError; a refused password after RETRY_SECONDS."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            for password, is_last in self._passwords():
                try:
                    connection = psycopg.connect(**self._arguments(password))
                except psycopg.OperationalError as error:
                    if not _may_pass(error) or (is_last and time.monotonic() > deadline):
                        raise
                else:
                    self._worked = password
                    return connection
            time.sleep(RETRY_PAUSE_SECONDS)

    async def connect_async(self) -> psycopg.AsyncConnection[Any]:
        """A new connection for an event loop. Each password is tried once: a probe must be quick."""
        for password, is_last in self._passwords():
            try:
                connection = await psycopg.AsyncConnection.connect(**self._arguments(password))
            except psycopg.OperationalError as error:
                if is_last or not _may_pass(error):
                    raise
            else:
                self._worked = password
                return connection
        raise AssertionError("the last password raises or returns")

    def _passwords(self) -> Iterator[tuple[str | None, bool]]:
        """Passwords to try, and whether it is the last one."""
        from_file, worked = self._settings.read_password(), self._worked
        if worked in (None, from_file):
            yield from_file, True
            return
        yield from_file, False
        yield worked, False
        # The server may have changed between the two.
        yield self._settings.read_password(), True

    def _arguments(self, password: str | None) -> dict[str, Any]:
        settings = self._settings
        arguments: dict[str, Any] = {
            "host": settings.host,
            "port": settings.port,
            "dbname": settings.database,
            "user": settings.user,
            "password": password,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "autobot-knowledge",
            "keepalives_idle": 30,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
        }
        if settings.ca_file is not None:
            # libpq reads the file for each connection, and checks the server's name too.
            arguments |= {"sslmode": "verify-full", "sslrootcert": str(settings.ca_file)}
        return arguments


def _may_pass(error: psycopg.OperationalError) -> bool:
    return any(words in str(error) for words in _PASSES_WITH_A_ROTATION)
