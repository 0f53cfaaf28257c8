"""The live stack under test: how tests reach it, and how it comes and goes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from autobot_ops.catalog import Catalogs
from autobot_ops.settings import load_settings
from autobot_ops.stack import stack as stack_module
from tests.conftest import ROOT
from tests.integration.claims import SessionRecord, claim_port_offset, free_project_name
from tests.integration.evidence import evidence
from tests.integration.in_container import output_of

INV = str(Path(sys.executable).with_name("inv"))
PROJECT_STEM = "autobot-it-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
UP_REPORT = "up-report.json"
"""Kept beside a stack's secrets, for a session that uses the stack again."""
SESSION_RECORD = ROOT / ".autobot" / "integration-session"
PROJECT_LABEL = "com.docker.compose.project"

LOOKING_VERBS = frozenset(
    {
        *("status", "logs", "config", "config.show", "config.check", "security", "history"),
        *("database.list", "database.check", "backup.list", "restore.list", "migrate.list"),
    }
)
"""Verbs that change nothing; every other one does, unless it is given --dry-run."""


@dataclass
class Permission:
    """Whether the test that runs now may change the stack: it may when it asked for `own_stack`."""

    granted: bool = False


PERMISSION = Permission()
"""Of this process; conftest.py sets it before each test."""


@dataclass(frozen=True)
class Stack:
    """The running stack under test."""

    project: str
    port_offset: int
    catalogs: Catalogs
    engine: docker.DockerClient
    up_report: dict[str, Any]
    """What `inv up --json` said; empty where the stack was there before."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `inv` works on this stack."""
        return {
            **os.environ,
            "AUTOBOT_PROJECT": self.project,
            "AUTOBOT_PORT_OFFSET": str(self.port_offset),
            **self.variables,
        }

    @property
    def opened(self) -> stack_module.Stack:
        """The stack as the library has it, with the catalogs as they are now."""
        return stack_module.open_stack(ROOT, load_settings(ROOT, self.environment))

    @property
    def state_dir(self) -> Path:
        """The folder of this stack's secrets and journals on the host."""
        return load_settings(ROOT, self.environment).project_state_dir

    @property
    def secrets_dir(self) -> Path:
        """Where `inv` keeps this stack's secrets on the host."""
        return load_settings(ROOT, self.environment).secrets_dir

    def url(self, agent: str, path: str) -> str:
        """Address of an agent's endpoint on the host."""
        return f"http://127.0.0.1:{self.catalogs.agent(agent).port + self.port_offset}{path}"

    @property
    def services(self) -> tuple[str, ...]:
        """Services that the catalogs call for."""
        return service_names(self.catalogs)

    def container(self, service: str) -> Container:
        """The container of a service, freshly looked up."""
        return self.engine.containers.get(f"{self.project}-{service}")

    def containers(self) -> list[Container]:
        """Every container of the stack, stopped ones too."""
        return project_containers(self.engine, self.project)

    def output_inside(self, service: str, *command: str) -> str:
        """What a command says in a service's container, as its user, however it ends."""
        return output_of(self.container(service), *command)

    @property
    def take_down_command(self) -> str:
        """What a person types to remove this stack and its data."""
        return f"AUTOBOT_PROJECT={self.project} inv down --volumes --yes"

    def inv(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `inv` on this stack; `variables` are added to its environment."""
        if not PERMISSION.granted and arguments[0] not in LOOKING_VERBS and "--dry-run" not in arguments:
            pytest.fail(f"inv {arguments[0]} changes the stack: such a test asks for the fixture own_stack")
        return run_inv(*arguments, environment={**self.environment, **variables}, check=check)


def service_names(catalogs: Catalogs) -> tuple[str, ...]:
    """Every service of a stack with these catalogs."""
    return ("redis", "postgres", *(f"{name}-agent" for name in catalogs.agents))


def run_inv(
    *arguments: str, environment: Mapping[str, str], check: bool = True, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run `inv`; with `check`, a failure shows what it said."""
    done = subprocess.run(
        [INV, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=1500
    )
    if check and done.returncode:
        pytest.fail(f"inv {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def project_containers(engine: docker.DockerClient, project: str) -> list[Container]:
    """Every container of a project, stopped ones too."""
    # One that vanishes while they are listed is none of them any more.
    return engine.containers.list(
        all=True, filters={"label": f"{PROJECT_LABEL}={project}"}, ignore_removed=True
    )


def is_taken(engine: docker.DockerClient, project: str) -> bool:
    """Whether anything of a project exists: containers, volumes, or files on the host."""
    label = {"label": f"{PROJECT_LABEL}={project}"}
    state_dir = load_settings(ROOT, {**os.environ, "AUTOBOT_PROJECT": project}).project_state_dir
    found = project_containers(engine, project), engine.volumes.list(filters=label)
    return any(found) or state_dir.exists()


def existing_stack(engine: docker.DockerClient, catalogs: Catalogs, project: str) -> Stack | None:
    """The stack of that name as it runs, at the ports that it publishes; None if there is none.

    One that a session made and kept has its report and its variables again.
    """
    agent_name, agent = next(iter(catalogs.agents.items()))
    for container in project_containers(engine, project):
        if container.name == f"{project}-{agent_name}-agent":
            bindings = container.attrs["HostConfig"]["PortBindings"] or {}
            published = [int(each["HostPort"]) for bound in bindings.values() for each in bound]
            found = Stack(project, min(published) - agent.port, catalogs, engine, {})
            report = found.state_dir / UP_REPORT
            if report.exists():
                return replace(_with_variables(found), up_report=json.loads(report.read_text("utf-8")))
            return found
    return None


@contextmanager
def own_stack(engine: docker.DockerClient, catalogs: Catalogs, *, keep: bool) -> Iterator[Stack]:
    """Build what is missing, start a stack of this session, and remove exactly what was started.

    Raises CheckoutInUse where a session runs already, NoFreePorts.
    """
    record = SessionRecord.claim(SESSION_RECORD)
    try:
        if (left := record.left_behind) is not None:
            _remove(Stack(left, 0, catalogs, engine, {}))
        project = free_project_name(PROJECT_STEM, lambda name: is_taken(engine, name))
        claim = claim_port_offset(agent.port for agent in catalogs.agents.values())
        record.write(project)
        made = _with_variables(Stack(project, claim.offset, catalogs, engine, {}))
        try:
            yield _started(made)
        finally:
            claim.release()
            if not keep:
                _remove(made)
            record.write(None)
    finally:
        record.release()


def _with_variables(stack: Stack) -> Stack:
    # The pages that research fetches in tests are served by a container beside it.
    return replace(stack, variables={"AUTOBOT_RESEARCH_ALLOW_PRIVATE": "1"})


def _started(stack: Stack) -> Stack:
    done = run_inv("up", "--json", environment=stack.environment, check=False)
    if done.returncode:
        found = "\n".join(f"{name}: {text}" for name, text in evidence(stack.containers()))
        pytest.fail(f"inv up ended with {done.returncode}\n{done.stdout}\n{done.stderr}\n{found}")
    (stack.state_dir / UP_REPORT).write_text(done.stdout, encoding="utf-8")
    return replace(stack, up_report=json.loads(done.stdout))


def _remove(stack: Stack) -> None:
    run_inv("down", "--volumes", "--yes", environment=stack.environment)
    shutil.rmtree(stack.state_dir, ignore_errors=True)
