"""One stack for all integration tests: a project name, ports, secrets and volumes of its own.

`KEEP_STACK=1` leaves it running for a look. What a failing test leaves behind in the containers'
logs is attached to its report.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.settings import load_settings
from tests.conftest import ROOT

INV = str(Path(sys.executable).with_name("inv"))
PROJECT = "autobot-it-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
LOG_LINES = 15


@dataclass(frozen=True)
class Stack:
    """The running stack under test."""

    project: str
    port_offset: int
    catalogs: Catalogs
    engine: docker.DockerClient
    up_report: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `inv` works on this stack."""
        return {
            **os.environ,
            "AUTOBOT_PROJECT": self.project,
            "AUTOBOT_PORT_OFFSET": str(self.port_offset),
            # The pages that research fetches in tests are served by a container beside it.
            "AUTOBOT_RESEARCH_ALLOW_PRIVATE": "1",
        }

    @property
    def secrets_dir(self) -> Path:
        """Where `inv` keeps this stack's secrets on the host."""
        return load_settings(ROOT, {"AUTOBOT_PROJECT": self.project}).secrets_dir

    def url(self, agent: str, path: str) -> str:
        """Address of an agent's endpoint on the host."""
        return f"http://127.0.0.1:{self.catalogs.agent(agent).port + self.port_offset}{path}"

    def container(self, service: str) -> Container:
        """The container of a service, freshly looked up."""
        return self.engine.containers.get(f"{self.project}-{service}")

    def containers(self) -> list[Container]:
        """Every container of the stack, stopped ones too."""
        label = f"com.docker.compose.project={self.project}"
        return self.engine.containers.list(all=True, filters={"label": label})

    def inv(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `inv` on this stack; `variables` are added to its environment."""
        return run_inv(*arguments, environment={**self.environment, **variables}, check=check)


def run_inv(
    *arguments: str, environment: dict[str, str], check: bool = True, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run `inv`; with `check`, a failure shows what it said."""
    done = subprocess.run(
        [INV, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=1500
    )
    if check and done.returncode:
        pytest.fail(f"inv {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def free_port_offset(ports: list[int]) -> int:
    """An offset at which none of the ports is taken on loopback."""
    for offset in range(10000, 40000, 97):
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise AssertionError("no free ports between 18000 and 48000")


@pytest.fixture(scope="session")
def stack(root: Path) -> Iterator[Stack]:
    """Build what is missing, start the stack, and remove exactly what was started."""
    catalogs = load_catalogs(root)
    engine = docker.from_env()
    offset = free_port_offset([agent.port for agent in catalogs.agents.values()])
    fresh = Stack(PROJECT, offset, catalogs, engine, {})
    # A run that was killed may have left containers of this name.
    fresh.inv("down", "--volumes", "--yes")
    try:
        report = json.loads(fresh.inv("up", "--json").stdout)
        yield Stack(PROJECT, offset, catalogs, engine, report)
    finally:
        if not os.environ.get("KEEP_STACK"):
            fresh.inv("down", "--volumes", "--yes")
        engine.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Attach states, last probes and last log lines of every container to a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed and "stack" in getattr(item, "fixturenames", ()):
        for container in item.funcargs["stack"].containers():  # type: ignore[attr-defined]
            report.sections.append((f"container {container.name}", _evidence(container)))


def _evidence(container: Container) -> str:
    state = container.attrs["State"]
    probes = state.get("Health", {}).get("Log", [])
    last_probe = probes[-1]["Output"].strip() if probes else "no probe yet"
    logs = container.logs(tail=LOG_LINES).decode(errors="replace")
    health = state.get("Health", {}).get("Status", "no health check")
    return f"{state['Status']}, {health}, restarts {container.attrs['RestartCount']}\n{last_probe}\n{logs}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cover every agent, database and service of the catalogs without naming them in a test."""
    catalogs = load_catalogs(ROOT)
    services = ["redis", "postgres", *(f"{name}-agent" for name in catalogs.agents)]
    for argument, values in (
        ("agent_name", list(catalogs.agents)),
        ("database_name", list(catalogs.databases)),
        ("service_name", services),
    ):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, values)
