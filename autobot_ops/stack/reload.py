"""Put the catalogs in force on a running stack: files, rights on the server, rows in the agents.

Nothing is restarted. Agents look at the catalog themselves; here we wait until each says that it has
taken the new version, and say why one has not.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from autobot_ops.catalog.allocation import Allocation, with_database, with_grants
from autobot_ops.catalog.load import AGENTS_FILE, DATABASES_FILE, load_catalogs
from autobot_ops.errors import PartlyDone
from autobot_ops.isolation import secrets
from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.isolation.users import changed_users
from autobot_ops.settings import Settings
from autobot_ops.stack.environment import ENVIRONMENT_FOLDER as ENVIRONMENT
from autobot_ops.stack.environment import (
    EXAMPLE_SUFFIX,
    own_environment_files,
    with_database_numbers,
    write_private_file,
)
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack, open_stack
from autobot_ops.stack.users import load_users, plan_users
from autobot_ops.yaml_source import load_yaml
from src.utils.catalog_watch import catalog_digest

AGENTS_WAIT_SECONDS = 20.0
POLL_SECONDS = 0.25
EXAMPLE = f"{ENVIRONMENT}/redis.{EXAMPLE_SUFFIX}"


class AgentsKeepFormerCatalog(PartlyDone):
    """The server has the new rights, but an agent has not taken the new catalog."""


@dataclass(frozen=True)
class ReloadPlan:
    """What differs from the catalogs: derived files (path → text) and users on the server."""

    files: Mapping[Path, str]
    users_file_differs: bool
    users: tuple[str, ...]

    def lines(self, root: Path) -> list[str]:
        """The plan as text."""
        files = [f"write {path.relative_to(root)}: it is out of date" for path in self.files]
        if self.users_file_differs:
            files.append(f"write secret {ACL_FILE}: the catalogs say otherwise")
        return [*files, *(f"change user {name} on the server: its rights differ" for name in self.users)]


def plan_reload(stack: Stack) -> ReloadPlan:
    """Compare files and server with the catalogs; changes nothing. Raises RedisOutOfReach."""
    wanted = own_environment_files(stack.settings.root, stack.catalogs)
    files = {path: text for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    users_file = stack.settings.secrets_dir / ACL_FILE
    differs = not users_file.exists() or users_file.read_text() != render_users(stack)
    return ReloadPlan(files, differs, tuple(changed_users(plan_users(stack))))


def apply_reload(stack: Stack, plan: ReloadPlan) -> list[str]:
    """Write, change, and wait for the agents. Returns what was seen to hold, a line each.

    Files come first: whatever happens after them, the next start has the new rights. Raises
    UsersNotLoaded, and AgentsKeepFormerCatalog with the reason that the agent gives.
    """
    for path, text in plan.files.items():
        write_private_file(path, text)
    if plan.users_file_differs:
        secrets.write_derived(stack.settings.secrets_dir, ACL_FILE, render_users(stack))
    load_users(stack)
    return [f"{name} has catalog {digest}" for name, digest in _wait_for_agents(stack).items()]


def _wait_for_agents(stack: Stack) -> dict[str, str]:
    """Each running agent, when it says that this version of the catalog is in force."""
    expected = catalog_digest([stack.settings.root / DATABASES_FILE, stack.settings.root / AGENTS_FILE])
    urls = {name: state.url for name, state in stack.observe().items() if state.url}
    deadline = time.monotonic() + AGENTS_WAIT_SECONDS
    adopted: dict[str, str] = {}
    said: dict[str, str] = {}
    while len(adopted) < len(urls):
        for name in urls.keys() - adopted.keys():
            digest, said[name] = _catalog_of(urls[name])
            if digest == expected:
                adopted[name] = digest
        if len(adopted) < len(urls):
            if time.monotonic() > deadline:
                name = min(urls.keys() - adopted.keys())
                raise AgentsKeepFormerCatalog(
                    f"{name} has not taken catalog {expected}: {said[name]}",
                    hint=f"See: inv logs {name}. The server's rights are changed already.",
                )
            time.sleep(POLL_SECONDS)
    return dict(sorted(adopted.items()))


def _catalog_of(url: str) -> tuple[str, str]:
    """The catalog's digest that an agent reports, and what it says about it."""
    try:
        document = httpx.get(url, timeout=5).json()
    except (httpx.HTTPError, ValueError) as error:
        return "", str(error)
    (check,) = document.get("checks", {}).get("catalog:digest", [{}])
    return str(check.get("observedValue", "")), str(check.get("output") or "it reports another one")


def render_allocation(root: Path, allocation: Allocation, settings: Settings) -> dict[Path, str]:
    """The texts of the files that a new database changes, checked as a whole; writes nothing.

    Raises InvalidConfiguration for an allocation that the catalogs' own rules refuse.
    """
    databases, agents = root / DATABASES_FILE, root / AGENTS_FILE
    texts = {
        databases: with_database(
            databases.read_text(), load_yaml(databases, name=DATABASES_FILE), allocation
        ),
        agents: with_grants(agents.read_text(), load_yaml(agents, name=AGENTS_FILE), allocation),
    }
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder)
        shutil.copytree(root / "config", trial / "config")
        for path, text in texts.items():
            (trial / path.relative_to(root)).write_text(text)
        catalogs = load_catalogs(trial, server_databases=settings.redis_databases)
    example = root / EXAMPLE
    texts[example] = with_database_numbers(example.read_text(), catalogs)
    return {path: text for path, text in texts.items() if path.read_text() != text}


def apply_allocation(stack: Stack, texts: Mapping[Path, str]) -> list[str]:
    """Write the files, each at one stroke, and reload a running stack. A line for what holds now."""
    for path, text in texts.items():
        mode = path.stat().st_mode
        write_private_file(path, text)
        path.chmod(mode)
    renewed = open_stack(stack.settings.root, stack.settings)
    if "redis" not in renewed.observe():
        return ["the stack is not up: the next inv up has the new database"]
    return apply_reload(renewed, plan_reload(renewed))
