"""A master, its replica and three Sentinels, all redis-server processes on loopback, ended by their ids."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.isolation.acl import agent_rules, password_rule
from tests.component.redis_process import REPOSITORY, START_SECONDS
from tests.free_ports import free_port

SERVICE = "autobot"
# Milliseconds of silence after which a Sentinel holds the master for dead.
DOWN_AFTER = 500


@dataclass
class SentinelProcesses:
    """`kill_master` ends the master as a crash does; `agree_on` asks the Sentinels."""

    folder: Path
    agent: str = "chat"
    password: str = "an agent's word"
    sentinel_password: str = "a word for sentinels"
    data_ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    sentinel_ports: list[int] = field(default_factory=lambda: [free_port(), free_port(), free_port()])
    catalogs: Catalogs = field(default_factory=lambda: load_catalogs(REPOSITORY))
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Start all five and wait until every Sentinel knows the master, the replica and the others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "agent.password").write_text(self.password + "\n", encoding="utf-8")
        (self.folder / "sentinel.password").write_text(self.sentinel_password + "\n", encoding="utf-8")
        rights = agent_rules(self.catalogs.agents[self.agent], self.catalogs)
        rules = [
            "user default on nopass ~* &* +@all",
            f"user {self.agent} on {password_rule(self.password)} {rights}",
        ]
        (self.folder / "users.acl").write_text("\n".join(rules) + "\n", encoding="utf-8")
        for port in self.data_ports:
            self.start_server(port)
        for port in self.sentinel_ports:
            self._start_sentinel(port)
        self.wait_until(self._everybody_knows_everybody)

    def start_server(self, port: int) -> None:
        """Start one of the two data servers; the second follows the first until Sentinel says otherwise."""
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        command = [
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            "--aclfile", str(self.folder / "users.acl"), "--repl-diskless-sync-delay", "0",
            "--logfile", str(folder / "log"),
        ]  # fmt: skip
        if port != self.data_ports[0]:
            command += ["--replicaof", f"127.0.0.1 {self.data_ports[0]}"]
        self.processes[port] = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.wait_until(lambda: self.answers(port))

    def _start_sentinel(self, port: int) -> None:
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(self.sentinel_password.encode()).hexdigest()
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder / 'log'}\n"
            f"user agents on #{digest} -@all +ping +hello +auth +sentinel|masters\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.data_ports[0]} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n",
            encoding="utf-8",
        )
        self.processes[port] = subprocess.Popen(
            ["redis-server", configuration, "--sentinel"], stdin=subprocess.DEVNULL
        )

    def environment(self) -> dict[str, str]:
        """The variables of an agent behind these Sentinels; REDIS_HOST leads nowhere on purpose."""
        return {
            "AGENT_NAME": self.agent,
            "REDIS_HOST": "nowhere.invalid",
            "REDIS_USERNAME": self.agent,
            "REDIS_PASSWORD_FILE": str(self.folder / "agent.password"),
            "REDIS_SENTINEL_HOSTS": ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports),
            "REDIS_SENTINEL_SERVICE": SERVICE,
            "REDIS_SENTINEL_USERNAME": "agents",
            "REDIS_SENTINEL_PASSWORD_FILE": str(self.folder / "sentinel.password"),
            "REDIS_DATABASES_FILE": str(REPOSITORY / "config" / "redis-databases.yaml"),
            "AGENTS_FILE": str(REPOSITORY / "config" / "agents.yaml"),
        }

    def agree_on(self, port: int) -> bool:
        """Whether every living Sentinel names this one as the master."""
        named = set()
        for sentinel_port in set(self.sentinel_ports) & set(self.processes):
            with redis.Redis(port=sentinel_port, decode_responses=True) as client:
                named.add(int(client.sentinel_masters()[SERVICE]["port"]))
        return named == {port}

    def kill(self, port: int) -> None:
        """End one process as a crash does."""
        process = self.processes.pop(port)
        process.kill()
        process.wait()

    def answers(self, port: int) -> bool:
        """Whether the server there answers."""
        try:
            with redis.Redis(port=port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Poll until it holds; fail after a while."""
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{condition} did not come true"
            time.sleep(0.05)

    def _everybody_knows_everybody(self) -> bool:
        for port in self.sentinel_ports:
            try:
                with redis.Redis(port=port, decode_responses=True) as client:
                    state = client.sentinel_masters()[SERVICE]
            except redis.RedisError:
                return False
            if (state["num-other-sentinels"], state["num-slaves"]) != (2, 1):
                return False
        with redis.Redis(port=self.data_ports[1], decode_responses=True) as replica:
            return str(replica.info("replication").get("master_link_status")) == "up"

    def stop(self) -> None:
        """End whatever still runs."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=START_SECONDS)
        self.processes.clear()
