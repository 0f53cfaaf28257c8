"""A real PostgreSQL on a free loopback port, with one role per service as in the stack.

PostgreSQL refuses to run as root: started by root it becomes the unprivileged user of Debian's
package, and its folder belongs to that user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.free_ports import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
START_SECONDS = 30.0


@dataclass
class PostgresProcess:
    """A server that can be ended, frozen and started again on the same port and data."""

    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    # Not pytest's folder: only root may pass through that one.
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="autobot-postgres-")))
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        (self.folder / "password").write_text(self.password, encoding="utf-8")
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (self.folder, self.folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                BINARIES / "initdb", "--pgdata", self.folder / "data", "--auth", "scram-sha-256",
                "--no-sync", "--username", "admin", "--pwfile", self.folder / "password",
                "--encoding", "UTF8",
            ],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._account(),
        )  # fmt: skip

    @staticmethod
    def _account() -> dict[str, Any]:
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}

    def start(self) -> None:
        """Start and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log_file:
            self.process = subprocess.Popen(
                [
                    BINARIES / "postgres", "-D", self.folder / "data", "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                    "-c", f"unix_socket_directories={self.folder}",
                ],
                stdout=log_file, stderr=subprocess.STDOUT, cwd=self.folder, **self._account(),
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(encoding="utf-8")
                    raise AssertionError(f"postgres did not start:\n{log}") from None
                time.sleep(0.05)
            else:
                return

    def connection(self, database: str) -> psycopg.Connection[Any]:
        """A connection of the server's administrator."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="admin",
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def execute(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as the server's administrator; rows of the last one."""
        with self.connection(database) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def fresh_database(self) -> None:
        """An empty database `autobot`, where the role `knowledge` owns the schema of its name."""
        self.execute("DROP DATABASE IF EXISTS autobot WITH (FORCE)", "CREATE DATABASE autobot")
        if not self.execute("SELECT 1 FROM pg_roles WHERE rolname = 'knowledge'"):
            self.execute("CREATE ROLE knowledge LOGIN")
        self.set_password(self.password)
        self.execute(
            "REVOKE ALL ON DATABASE autobot FROM PUBLIC",
            "GRANT CONNECT ON DATABASE autobot TO knowledge",
            "CREATE SCHEMA knowledge AUTHORIZATION knowledge",
            database="autobot",
        )

    def set_password(self, password: str) -> None:
        """Give the role a password, and write it into the secret file."""
        self.execute(f"ALTER ROLE knowledge PASSWORD '{password}'")
        (self.folder / "knowledge.password").write_text(password + "\n", encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """The variables that the knowledge agent's container would have."""
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": "autobot",
            "POSTGRES_USER": "knowledge",
            "POSTGRES_PASSWORD_FILE": str(self.folder / "knowledge.password"),
        }

    def freeze(self) -> None:
        """Stop answering without closing anything, as a hanging host does."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        for one in [main, *main.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def stop(self) -> None:
        """End it and wait; what was committed stays."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it without a word to its clients, so not waiting for one that doesn't read; as `stop` else."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(number)
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def remove(self) -> None:
        """End it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder)
