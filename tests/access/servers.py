"""Servers that the matrix runs on: the installed Redis always, newer ones where they were fetched."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from autobot_ops.catalog import Catalogs
from autobot_ops.isolation.acl import password_rule, render_acl
from autobot_ops.isolation.secrets import OPERATOR_ROLES
from tests.conftest import ROOT
from tests.free_ports import free_port

FETCHED = ROOT / ".autobot" / "test-servers"
SERVER_DATABASES = 32
START_SECONDS = 20.0
REPLY_SECONDS = 10.0
HARNESS = "harness"
"""A user of the tests that may do everything: to plant, to look and to clean up."""

PROGRAMS = {
    "redis-7": "redis-server",
    "redis-8": str(FETCHED / "redis-server"),
    "valkey-9": str(FETCHED / "valkey-server"),
}
"""By the name that a test shows."""


def available_servers() -> list[str]:
    """Names of the servers that can be started here; scripts/fetch-test-servers makes them all."""
    return [name for name, program in PROGRAMS.items() if "/" not in program or Path(program).exists()]


def missing_servers() -> list[str]:
    """The others."""
    return [name for name in PROGRAMS if name not in available_servers()]


@dataclass
class AccessServer:
    """A server process with the rendered users, and the tests' own one beside them."""

    folder: Path
    catalogs: Catalogs
    name: str = "redis-7"
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for user in (*self.catalogs.agents, *OPERATOR_ROLES, HARNESS):
            self.passwords.setdefault(user, secrets.token_hex(16))

    def rendered(self, *, database_rules: bool = False, **passwords: tuple[str, ...]) -> str:
        """The file of users as the stack would have it; `passwords` replace those of some users."""
        current = {user: (word,) for user, word in self.passwords.items() if user != HARNESS}
        return render_acl(
            self.catalogs,
            current | passwords,
            server_databases=SERVER_DATABASES,
            database_rules=database_rules,
        )

    @property
    def harness_line(self) -> str:
        """The tests' own user, to be added to a file."""
        return f"user {HARNESS} on {password_rule(self.passwords[HARNESS])} ~* &* +@all\n"

    def start(self, users: str | None = None) -> None:
        """Start with these users (those that every server understands, if not given) and wait for it."""
        path = self.folder / "users.acl"
        path.write_text((self.rendered() if users is None else users) + self.harness_line, encoding="utf-8")
        self.process = subprocess.Popen(
            [
                PROGRAMS[self.name], "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
                "--aclfile", path, "--databases", str(SERVER_DATABASES), "--save", "",
                "--logfile", self.folder / "server.log",
                # So that it is the user's rights that refuse DEBUG and MODULE.
                "--enable-debug-command", "yes", "--enable-module-command", "yes",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.client(HARNESS) as client:
                    client.ping()
            except redis.RedisError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "server.log").read_text(encoding="utf-8")
                    raise AssertionError(f"{self.name} did not start:\n{log}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it and wait for it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def client(self, user: str, number: int = 0) -> redis.Redis:
        """A client of a user; replies are raw. `default` is whoever gives no password."""
        return redis.Redis(
            port=self.port,
            db=number,
            username=None if user == "default" else user,
            password=self.passwords.get(user),
            socket_timeout=REPLY_SECONDS,
            driver_info=None,
        )

    def connection(self, user: str) -> Any:
        """An open connection of a user in database 0."""
        return open_connection(self.client(user))


def open_connection(client: redis.Redis) -> Any:
    """A connection of its own with a client's settings: for replies in the order of commands."""
    connection: Any = client.connection_pool.make_connection()
    connection.connect()
    return connection
