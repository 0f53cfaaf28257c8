"""A small stack of real containers: Redis, PostgreSQL and the knowledge agent, started once for this folder.

Verbs run in this process, on a copy of the project whose catalog has that agent alone. Every test finds the
stack healthy and leaves it so; the last file takes it down.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from autobot_ops.adapters import engine
from autobot_ops.adapters.engine import DaemonUnreachable
from autobot_ops.catalog import load_catalogs
from autobot_ops.settings import load_settings
from autobot_ops.stack.images import build_images
from autobot_ops.stack.stack import Stack, open_stack
from tests.component.small_stack.leftovers import remove_project
from tests.component.small_stack.sessions import put_sessions
from tests.component.small_stack.small_project import IMAGES, copy_project
from tests.conftest import ROOT
from tests.integration.claims import CheckoutInUse, NoFreePorts, SessionRecord, claim_port_offset
from tests.inv_in_process import Ended, Inv, call_inv, work_in

PROJECT = "autobot-small-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
UNSTARTED = f"{PROJECT}-un"
BESIDE = 50
"""To ports that no session claims: offsets lie further apart."""
SESSION_RECORD = ROOT / ".autobot" / "small-stack-session"


@dataclass(frozen=True)
class Project:
    """A project's folder, and the variables with which `inv` works on it."""

    folder: Path
    variables: dict[str, str]

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Have `inv` of this process work there, until the patch is undone."""
        for name in [name for name in os.environ if name.startswith("AUTOBOT_")]:
            patch.delenv(name)
        for name, value in self.variables.items():
            patch.setenv(name, value)
        work_in(self.folder, patch)

    @property
    def stack(self) -> Stack:
        """The stack as the library has it."""
        return open_stack(self.folder, load_settings(self.folder, self.variables))


@dataclass(frozen=True)
class Started:
    """The stack that runs, and what the `inv up --json` that started it said."""

    project: Project
    up: Ended


@pytest.fixture(scope="package")
def docker_engine() -> Iterator[docker.DockerClient]:
    """The engine. Without one these tests fail: what they say of verbs would be unknown."""
    try:
        client = engine.connect()
    except DaemonUnreachable as error:
        pytest.fail(f"{error.message}: {error.hint}")
    yield client
    client.close()


@pytest.fixture(scope="package")
def claimed(
    docker_engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project that nobody else has, not started. What a killed session left of it is removed first."""
    try:
        record = SessionRecord.claim(SESSION_RECORD)
        claim = claim_port_offset(agent.port for agent in load_catalogs(ROOT).agents.values())
    except (CheckoutInUse, NoFreePorts) as error:
        pytest.fail(str(error))
    for name in (PROJECT, UNSTARTED):
        remove_project(docker_engine, name)
    folder = copy_project(ROOT, tmp_path_factory.mktemp("small") / "project")
    variables = {"AUTOBOT_PROJECT": PROJECT, "AUTOBOT_PORT_OFFSET": str(claim.offset)}
    try:
        yield Project(folder, variables)
    finally:
        remove_project(docker_engine, PROJECT)
        claim.release()
        record.release()
        shutil.rmtree(folder)


@pytest.fixture(scope="package")
def started(claimed: Project) -> Started:
    """The stack, up and healthy; its three images are built where they are missing."""
    build_images(load_settings(ROOT, {}), IMAGES)
    with pytest.MonkeyPatch.context() as patch:
        claimed.enter(patch)
        up = call_inv("up", "--json")
    if up.exit_code:
        pytest.fail(f"inv up ended with {up.exit_code}\n{up.output}\n{up.remarks}")
    return Started(claimed, up)


@pytest.fixture
def project(claimed: Project) -> Project:
    """The project of the small stack."""
    return claimed


@pytest.fixture
def stack(started: Started, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The running stack; `inv` of this process works on it."""
    started.project.enter(monkeypatch)
    return started.project.stack


@pytest.fixture
def inv(stack: Stack) -> Inv:
    """Call a verb on the running stack."""
    return call_inv


@pytest.fixture(scope="package")
def first_backup() -> list[Ended]:
    """What the one backup of all tiers said, once it was taken."""
    return []


@pytest.fixture
def taken(stack: Stack, inv: Inv, first_backup: list[Ended]) -> Ended:
    """Archives of every tier, of a Redis with `sessions.KEYS`; the first test that needs them takes them."""
    if not first_backup:
        put_sessions(stack)
        first_backup.append(inv("backup", "--all", "--json"))
    return first_backup[0]


@pytest.fixture
def unstarted(
    docker_engine: docker.DockerClient, tmp_path: Path, claimed: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Another project with ports of its own, of which nothing exists; `inv` of this process works on it."""
    offset = int(claimed.variables["AUTOBOT_PORT_OFFSET"]) + BESIDE
    fresh = Project(
        copy_project(ROOT, tmp_path / "project"),
        {"AUTOBOT_PROJECT": UNSTARTED, "AUTOBOT_PORT_OFFSET": str(offset)},
    )
    fresh.enter(monkeypatch)
    yield fresh
    remove_project(docker_engine, UNSTARTED)
