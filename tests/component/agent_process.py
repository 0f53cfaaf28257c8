"""An agent as its container runs it: `python -m src.agents`, a process of its own on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.component.redis_process import REPOSITORY
from tests.free_ports import free_port

# A deadline, not an expectation: torch takes a minute to import on a machine that does other things.
ANSWER_SECONDS = 240.0


@dataclass
class AgentProcess:
    """One running agent; `client` speaks to it."""

    name: str
    environment: dict[str, str]
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    module: str = "src.agents"

    def start(self) -> None:
        """Start it; it may take a moment to listen."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self.folder),
            "AGENT_HOST": "127.0.0.1",
            "AGENT_PORT": str(self.port),
            "AGENT_DATA_DIR": str(self.folder / "data"),
            "AGENT_LOG_DIR": str(self.folder / "logs"),
            "AUTOBOT_VERSION": "9.9.9",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "ANONYMIZED_TELEMETRY": "False",
        }
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | self.environment,
            )

    @property
    def client(self) -> httpx.Client:
        """A new client for this agent."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30.0)

    def get(self, path: str) -> httpx.Response:
        """One GET."""
        with self.client as client:
            return client.get(path)

    def post(self, path: str, content: Any) -> httpx.Response:
        """One POST of JSON."""
        with self.client as client:
            return client.post(path, json=content)

    def wait_until(self, path: str, accept: Callable[[httpx.Response], bool]) -> httpx.Response:
        """The first answer that is accepted, within the deadline; else the log goes into the failure."""
        deadline = time.monotonic() + ANSWER_SECONDS
        last: object = None
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"agent ended with {self.process.returncode}:\n{self.output()[-4000:]}")
            try:
                answer = self.get(path)
            except httpx.TransportError as error:
                last = error
            else:
                if accept(answer):
                    return answer
                last = answer.text
            time.sleep(0.05)
        raise AssertionError(f"{path} never answered as expected, last {last!r}:\n{self.output()[-4000:]}")

    def wait_until_ready(self) -> None:
        """Until /readyz answers 200."""
        self.wait_until("/readyz", lambda answer: answer.status_code == 200)

    def output(self) -> str:
        """What it wrote so far."""
        return (self.folder / "output.log").read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait for its end and return its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=ANSWER_SECONDS)
