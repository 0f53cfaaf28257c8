"""A container like one of the stack's, beside it or in its place: with a small disk, or another clock.

It has the service's image, user, environment, secrets, limits of rights and data network, and volumes of its
own, which end with it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from docker.models.containers import Container

from tests.integration.live import Stack

AGENT_PORT = 8000


@dataclass(frozen=True)
class StackWithStandIn(Stack):
    """The stack as it is while `urls` answer for agents, and while `replaced` services don't run."""

    urls: Mapping[str, str] = field(default_factory=dict)
    replaced: Sequence[str] = ()

    def url(self, agent: str, path: str) -> str:
        """Address of an agent's endpoint, or of who stands in for it."""
        return f"{self.urls[agent]}{path}" if agent in self.urls else super().url(agent, path)

    def containers(self) -> list[Container]:
        """Those of the stack that shall run."""
        away = {f"{self.project}-{service}" for service in self.replaced}
        return [each for each in super().containers() if each.name not in away]


@contextmanager
def stand_in(
    stack: Stack,
    service: str,
    *,
    disk: str = "",
    environment: Mapping[str, str] | None = None,
    mounts: Sequence[str] = (),
    alias: str = "",
) -> Iterator[Container]:
    """Run one; `disk` is the size of its volumes, `mounts` and `environment` come on top."""
    model = stack.container(service).attrs
    config, host = model["Config"], model["HostConfig"]
    user = config["User"]
    owner = "uid={},gid={}".format(*user.split(":"))
    name = f"{stack.project}-stand-in-{service}"
    options = [
        f"--name={name}", f"--network={stack.project}_data", f"--user={user}", "--read-only",
        "--cap-drop=ALL", "--security-opt=no-new-privileges", f"--memory={host['Memory']}",
        *(f"--group-add={group}" for group in host["GroupAdd"]),
        *(f"--tmpfs={path}:{rights}" for path, rights in host["Tmpfs"].items()),
        *(f"--env={each}" for each in config["Env"]),
        *(f"--env={variable}={value}" for variable, value in (environment or {}).items()),
        *((f"--network-alias={alias}",) if alias else ()),
        *(f"--volume={each}" for each in mounts),
    ]  # fmt: skip
    for each in model["Mounts"]:
        if each["Type"] == "bind":
            options.append(f"--volume={each['Source']}:{each['Destination']}:ro")
        else:
            size = f"size={disk or '256m'}"
            options.append(f"--tmpfs={each['Destination']}:rw,noexec,nosuid,{size},{owner},mode=0700")
    # A run that was killed may have left one.
    subprocess.run(["docker", "rm", "--force", "--volumes", name], check=False, capture_output=True)
    subprocess.run(
        ["docker", "run", "--detach", *options, config["Image"], *config["Cmd"]],
        check=True, capture_output=True,
    )  # fmt: skip
    try:
        yield stack.engine.containers.get(name)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True)


def address(container: Container) -> str:
    """Its address on the data network, which the engine's own machine can reach."""
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def with_agent(stack: Stack, agent: str, container: Container) -> StackWithStandIn:
    """The stack with this container as one of its agents."""
    urls = {agent: f"http://{address(container)}:{AGENT_PORT}"}
    return StackWithStandIn(**_fields_of(stack), urls=urls)


@contextmanager
def in_place_of(stack: Stack, service: str, container: Container) -> Iterator[StackWithStandIn]:
    """The stack with this container instead of a data service, whose name it has on the network."""
    original = stack.container(service)
    original.stop()
    try:
        yield StackWithStandIn(**_fields_of(stack), replaced=(service,))
    finally:
        # The name is for one of them only.
        container.remove(force=True)
        original.start()


def _fields_of(stack: Stack) -> dict[str, Any]:
    return {each.name: getattr(stack, each.name) for each in fields(Stack)}
