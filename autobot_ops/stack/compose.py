"""Compose as this project uses it: its command lines, the model it reads, what it would do.

Everything goes through one Compose object, so that project name, folder and variables are the same
for every command. Parsing is pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobot_ops.adapters import process
from autobot_ops.errors import ConfigurationError, ExternalCommandFailed

COMPOSE_FILE = "docker-compose.modular.yml"

RUNNING, STOPPED, DIFFERENT, ABSENT = "running", "stopped", "different", "absent"
"""What Compose finds of a service: as described and running, there but not running, otherwise, not there."""

_DRY_RUN_LINE = re.compile(r"Container (\S+)\s+(Running|Recreate|Creating|Created)\b")
_FOUND = {"Running": RUNNING, "Recreate": DIFFERENT, "Creating": ABSENT, "Created": STOPPED}


class InvalidComposeFile(ConfigurationError):
    """Compose can't read its files with the variables that it got."""


class ComposeMissing(ExternalCommandFailed):
    """Docker is there, its Compose plugin isn't."""


@dataclass(frozen=True)
class PublishedPort:
    """Where a container's port is reached on the host."""

    address: str
    number: int


@dataclass(frozen=True)
class Service:
    """One service of the Compose model, as far as starting it is concerned.

    `memory` is what it usually needs (its reservation), in bytes.
    """

    name: str
    container_name: str
    image: str
    depends_on: tuple[str, ...]
    ports: tuple[PublishedPort, ...]
    memory: int


@dataclass(frozen=True)
class Compose:
    """Compose for one stack. `environment` holds every variable of the compose files."""

    root: Path
    project: str
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> list[str]:
        """A complete command line: file, folder and project are named, whatever COMPOSE_* says.

        Run it in `root`: before 2.24, Compose took an included file's folder from there.
        """
        return [
            *("docker", "compose", "--file", str(self.root / COMPOSE_FILE)),
            *("--project-directory", str(self.root), "--project-name", self.project),
            *arguments,
        ]

    def query(self, *arguments: str, timeout: float | None = None) -> str:
        """Standard output of a Compose command."""
        return process.query(self.command(*arguments), env=self.environment, cwd=self.root, timeout=timeout)

    def execute(self, *arguments: str) -> None:
        """A Compose command on our own terminal."""
        process.execute(self.command(*arguments), env=self.environment, cwd=self.root)

    def stream(self, *arguments: str) -> Iterator[str]:
        """Lines of a Compose command's output as they come; CommandFailed at its end if it failed."""
        argv = self.command("--progress", "plain", *arguments)
        return process.stream_lines(argv, env=self.environment, cwd=self.root)

    def load_model(self) -> dict[str, Service]:
        """The services as Compose understands them; InvalidComposeFile names its complaint."""
        try:
            document = self.query("config", "--format", "json")
        except process.CommandFailed as error:
            raise _explained(error) from error
        return parse_model(json.loads(document))

    def compare(self, services: Iterable[Service]) -> dict[str, str]:
        """What Compose finds of each service: RUNNING, STOPPED, DIFFERENT or ABSENT. It changes nothing.

        The images must exist. The judgement is Compose's own, from its dry run: whatever it would
        recreate is DIFFERENT, for reasons that only it knows completely.
        """
        chosen = {service.container_name: service.name for service in services}
        if not chosen:
            return {}
        arguments = (
            "--dry-run",
            # Not --no-deps: a service without its dependencies is another one in Compose's eyes, and the
            # next plain `docker compose up` would recreate it.
            *("up", "--no-start", "--no-build", *chosen.values()),
        )
        try:
            output = "\n".join(self.stream(*arguments))
        except process.CommandFailed as error:
            raise _explained(error) from error
        return {chosen[name]: found for name, found in parse_dry_run(output).items() if name in chosen}


def parse_model(document: Mapping[str, Any]) -> dict[str, Service]:
    """Services of `docker compose config --format json`, by name."""
    return {
        name: Service(
            name=name,
            container_name=body["container_name"],
            image=body["image"],
            depends_on=tuple(sorted(body.get("depends_on") or ())),
            ports=tuple(
                PublishedPort(port.get("host_ip") or "0.0.0.0", int(port["published"]))  # noqa: S104 - Compose's default
                for port in body.get("ports") or ()
                if port.get("published")
            ),
            memory=int(body.get("mem_reservation") or 0),
        )
        for name, body in document["services"].items()
    }


def parse_dry_run(output: str) -> dict[str, str]:
    """What Compose's dry run finds of each container. Its first remark on a container counts."""
    found: dict[str, str] = {}
    for container_name, remark in _DRY_RUN_LINE.findall(output):
        found.setdefault(container_name, _FOUND[remark])
    return found


def start_order(services: Mapping[str, Service]) -> list[list[str]]:
    """Names in stages, each of which needs only those before it.

    A dependency outside the mapping counts as met.
    """
    stages: list[list[str]] = []
    waiting = dict(services)
    while waiting:
        stage = [name for name, service in waiting.items() if not set(service.depends_on) & set(waiting)]
        # Compose refuses cycles when it reads its files, so every round finds something.
        for name in stage:
            del waiting[name]
        stages.append(sorted(stage))
    return stages


def _explained(error: process.CommandFailed) -> ConfigurationError | ComposeMissing:
    complaint = error.output.strip().splitlines()[-1] if error.output.strip() else error.message
    if "is not a docker command" in complaint or "unknown flag: --file" in error.output:
        hint = "Run scripts/bootstrap, which installs it."
        return ComposeMissing("docker has no compose plugin", hint=hint)
    return InvalidComposeFile(
        f"Compose refuses its files: {complaint}",
        hint=f"Look at {COMPOSE_FILE}, compose/ and docker/env/; `inv config.check` compares them.",
    )
