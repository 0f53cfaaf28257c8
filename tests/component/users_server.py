"""A redis-server that is started as its container starts it: by docker/redis/redis-entrypoint.

Without TLS, which has its own server process in the tests.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from autobot_ops.catalog import Catalogs
from autobot_ops.isolation.acl import render_acl
from autobot_ops.isolation.secrets import OPERATOR_ROLES
from tests.conftest import ROOT
from tests.free_ports import free_port

ENTRYPOINT = ROOT / "docker/redis/redis-entrypoint"
START_SECONDS = 15.0


@dataclass
class UsersServer:
    """The server with the users that the catalogs call for; its folder keeps the data over restarts."""

    folder: Path
    catalogs: Catalogs
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def passwords(self) -> Mapping[str, str]:
        """One password per user."""
        return {user: f"{user}-password" for user in (*self.catalogs.agents, *OPERATOR_ROLES)}

    def start(self) -> None:
        """Start and wait until it has read its users: then, and not before, `default` may PING."""
        data, users, state = self.folder / "data", self.folder / "users.acl", self.folder / "state"
        data.mkdir(exist_ok=True)
        passwords = {user: (word,) for user, word in self.passwords.items()}
        users.write_text(render_acl(self.catalogs, passwords, server_databases=32))
        settings = self.folder / "redis.conf"
        # The image's own settings; only where the data and the log lie is another place here.
        text = (ROOT / "docker/redis/redis.conf").read_text().replace("dir /data", f"dir {data}")
        settings.write_text(text.replace('logfile ""', f"logfile {self.folder / 'log'}"))
        socket = state / "redis.sock"
        options = {
            "port": str(self.port), "tls-port": "0", "bind": "127.0.0.1", "unixsocket": str(socket)
        }  # fmt: skip
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen(
            [str(ENTRYPOINT), "redis-server", str(settings), *arguments],
            cwd=data,
            env={
                **os.environ,
                # The image's redis-cli, which finds the socket.
                "PATH": f"{ENTRYPOINT.parent}:{os.environ['PATH']}",
                "REDIS_SOCKET": str(socket),
                "USERS_FILE": str(users),
                "STATE_FOLDER": str(state),
                # Read at a start, and not used without TLS.
                "CERTIFICATE_FILE": str(settings),
            },
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            log = self.folder / "log"
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"redis-server did not start: {log.read_text() if log.exists() else ''}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether `default` gets its PONG."""
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """End it as Docker does."""
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(START_SECONDS) == 0
            self.process = None

    def client(self, user: str) -> redis.Redis:
        """A connection as this user that has selected nothing."""
        return redis.Redis(
            port=self.port,
            username=user,
            password=self.passwords[user],
            decode_responses=True,
            single_connection_client=True,
        )
