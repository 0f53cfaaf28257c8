"""A real redis-server on a free loopback port, with the access rules that the stack's agents have.

It is started as a child process and ended by its id; its files live in the test's own folder.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import yaml

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.isolation.acl import render_acl
from autobot_ops.isolation.data_keys import new_key_ring
from autobot_ops.isolation.secrets import OPERATOR_ROLES
from tests.free_ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 15.0
DATABASES = 32


def load_catalog(name: str) -> dict[str, Any]:
    """A catalog of the repository."""
    document: dict[str, Any] = yaml.safe_load((REPOSITORY / "config" / name).read_text(encoding="utf-8"))
    return document


@dataclass
class RedisProcess:
    """A server that can be started, frozen, ended and started again on the same port and data."""

    folder: Path
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    catalogs: Catalogs = field(default_factory=lambda: load_catalogs(REPOSITORY))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for user in (*self.catalogs.agents, *OPERATOR_ROLES):
            self.passwords.setdefault(user, secrets.token_hex(16))
        self.write_rules()

    def write_rules(self) -> None:
        """Write the ACL file, as the operator's library renders it, and one password file per user."""
        passwords = {user: (password,) for user, password in self.passwords.items()}
        rules = render_acl(self.catalogs, passwords, server_databases=DATABASES).splitlines()
        # As the image's entrypoint does: Redis 7.0 replays transactions of the append-only file with
        # the rights of `default`, and with few rights it would lose them. Off, nobody can be it.
        lines = [line for line in rules if not line.startswith("user default ")]
        lines.append("user default off nopass ~* &* +@all")
        (self.folder / "users.acl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for user, password in self.passwords.items():
            self.password_file(user).write_text(password + "\n", encoding="utf-8")
        if not self.data_keys_file.exists():
            self.data_keys_file.write_text(new_key_ring(), encoding="utf-8")

    def add_rules(self, user: str, rules: str) -> None:
        """Start again with further access rules for a user: nobody but an administrator may load them."""
        path = self.folder / "users.acl"
        lines = path.read_text(encoding="utf-8").splitlines()
        changed = [f"{line} {rules}" if line.startswith(f"user {user} ") else line for line in lines]
        assert changed != lines
        self.stop()
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        self.start()

    @property
    def data_keys_file(self) -> Path:
        """The ring of data keys that every agent of this server's tests has."""
        return self.folder / "data_keys"

    def password_file(self, user: str) -> Path:
        """Where the password of a user lies."""
        return self.folder / f"{user}.password"

    def listening(self) -> list[str]:
        """How it is reached, as options."""
        return ["--port", str(self.port)]

    def start(self) -> None:
        """Start and wait until it answers."""
        self.process = subprocess.Popen(
            [
                "redis-server", *self.listening(), "--bind", "127.0.0.1", "--dir", str(self.folder),
                "--aclfile", str(self.folder / "users.acl"), "--databases", str(DATABASES),
                "--appendonly", "yes", "--save", "", "--logfile", str(self.folder / "redis.log"),
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        with self.operator() as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        log = (self.folder / "redis.log").read_text(encoding="utf-8")
                        raise AssertionError(f"redis-server did not start:\n{log}") from None
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """End it and wait for it; what was written stays."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
                self.process.terminate()
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def freeze(self) -> None:
        """Stop answering without closing anything, as a hanging host does."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def operator(self, number: int = 0) -> redis.Redis:
        """A client that may do everything, to set up and to look."""
        return redis.Redis(
            port=self.port, db=number, username="operator", password=self.passwords["operator"],
            decode_responses=True,
        )  # fmt: skip

    def environment(self, agent: str) -> dict[str, str]:
        """The variables that this agent's container would have for Redis."""
        return {
            "AGENT_NAME": agent,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.port),
            "REDIS_USERNAME": agent,
            "REDIS_PASSWORD_FILE": str(self.password_file(agent)),
            "DATA_KEYS_FILE": str(self.data_keys_file),
            "REDIS_DATABASES_FILE": str(REPOSITORY / "config" / "redis-databases.yaml"),
            "AGENTS_FILE": str(REPOSITORY / "config" / "agents.yaml"),
        }
