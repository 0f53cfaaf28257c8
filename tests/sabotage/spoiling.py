"""How things are spoilt: containers by an override or by other source, users by rules, and SQL, networks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.stack.compose import COMPOSE_FILE
from autobot_ops.stack.references import images_to_run
from tests.conftest import ROOT
from tests.integration.live import Stack
from tests.sabotage.model import Act
from tests.waiting import wait_until

SPOILT_FOLDER = "spoilt"
START_SECONDS = 120
SETTLE_SECONDS = 15


def recreate(
    service: str,
    *,
    variables: Mapping[str, str] | None = None,
    source: tuple[str, str, str] | None = None,
    **override: Any,
) -> Act:
    """Make a service's container anew with these keys of Compose above its own.

    `variables` are Compose's own; `source` is a file of src/ in which one text is replaced by another.
    """

    def apply(stack: Stack) -> None:
        body = dict(override)
        if source is not None:
            body["volumes"] = [_spoilt_source(stack, *source)]
        opened = stack.opened
        environment = opened.compose(images_to_run(opened, stack.environment)).environment
        done = subprocess.run(
            [
                *("docker", "compose", "--file", str(_with_override(stack, {"services": {service: body}}))),
                *("--project-directory", str(ROOT), "--project-name", stack.project),
                *("up", "--detach", "--no-build", "--no-deps", service),
            ],
            cwd=ROOT, env={**os.environ, **environment, **(variables or {})}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"compose ended with {done.returncode}: {done.stderr}")
        _wait_until_settled(stack, service)

    return apply


def remove(service: str) -> Act:
    """Remove a service's container; its named volumes stay."""
    return lambda stack: stack.container(service).remove(force=True)


def up_again(stack: Stack) -> None:
    """Whatever differs from its description is made anew, and everything is healthy afterwards."""
    stack.inv("up")


def users_again(stack: Stack) -> None:
    """Redis' users are again those that the catalogs call for."""
    stack.inv("database.reload")


def set_user(name: str, *rules: str) -> Act:
    """Give a user of Redis further rules."""

    def apply(stack: Stack) -> None:
        with dialer(stack.opened, "operator")(0) as client:
            client.execute_command("ACL", "SETUSER", name, *rules)

    return apply


def sql(*statements: str) -> Act:
    """Run SQL as PostgreSQL's superuser in the stack's database."""

    def apply(stack: Stack) -> None:
        commands = [word for statement in statements for word in ("-c", statement)]
        done = stack.container("postgres").exec_run(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", "user=postgres dbname=autobot", *commands]
        )
        if done.exit_code:
            raise RuntimeError(f"psql ended with {done.exit_code}: {done.output!r}")

    return apply


def in_turn(*acts: Act) -> Act:
    """Several acts, one after the other."""

    def apply(stack: Stack) -> None:
        for act in acts:
            act(stack)

    return apply


def connect(network: str, service: str) -> Act:
    """Put a container into one more network of the stack."""
    return lambda stack: stack.engine.networks.get(f"{stack.project}_{network}").connect(
        stack.container(service)
    )


def disconnect(network: str, service: str) -> Act:
    """Take it out again."""
    return lambda stack: stack.engine.networks.get(f"{stack.project}_{network}").disconnect(
        stack.container(service)
    )


def _with_override(stack: Stack, override: Mapping[str, Any]) -> Path:
    """The stack's file of Compose, with one more of the files that it includes as one model."""
    folder = stack.state_dir / SPOILT_FOLDER
    folder.mkdir(exist_ok=True)
    (folder / "override.yml").write_text(yaml.safe_dump(override), encoding="utf-8")
    model = yaml.safe_load((ROOT / COMPOSE_FILE).read_text(encoding="utf-8"))
    (included,) = model["include"]
    included["path"] = [*(str(ROOT / each) for each in included["path"]), str(folder / "override.yml")]
    included["project_directory"] = str(ROOT)
    spoilt = folder / "compose.yml"
    spoilt.write_text(yaml.safe_dump(model), encoding="utf-8")
    return spoilt


def _wait_until_settled(stack: Stack, service: str) -> None:
    """Until the container is what it will be: serving, or for long enough not."""
    agent = service.removesuffix("-agent")
    if agent in stack.catalogs.agents:
        wait_until(lambda: _status(stack, agent, "/livez") is not None, f"{service} answers", START_SECONDS)
        settled = time.monotonic() + SETTLE_SECONDS
        wait_until(
            lambda: _status(stack, agent, "/readyz") == 200 or time.monotonic() > settled,
            f"{service} is ready or isn't going to be",
            2 * SETTLE_SECONDS,
        )
    else:
        wait_until(
            lambda: stack.container(service).attrs["State"]["Health"]["Status"] == "healthy",
            f"{service} is healthy",
            START_SECONDS,
        )


def _status(stack: Stack, agent: str, path: str) -> int | None:
    try:
        return httpx.get(stack.url(agent, path), timeout=START_SECONDS).status_code
    except httpx.TransportError:
        return None


def _spoilt_source(stack: Stack, name: str, before: str, after: str) -> str:
    text = (ROOT / "src" / name).read_text(encoding="utf-8")
    if before not in text:
        raise LookupError(f"src/{name} has no {before!r} to be replaced any more")
    spoilt = stack.state_dir / SPOILT_FOLDER / name
    spoilt.parent.mkdir(parents=True, exist_ok=True)
    spoilt.write_text(text.replace(before, after), encoding="utf-8")
    return f"{spoilt}:/app/src/{name}:ro"
