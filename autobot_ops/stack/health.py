"""The state of the stack's containers, read from what the Docker engine reports. Parsing is pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker

from autobot_ops.adapters import containers
from autobot_ops.stack.compose import PublishedPort


@dataclass(frozen=True)
class Probe:
    """One run of a container's health check, at times of the engine's clock."""

    exit_code: int
    output: str
    began: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class ContainerState:
    """What the engine says of one container.

    `status` and `health` are the engine's words (running, restarting, exited, …; healthy, unhealthy,
    starting, or empty without a health check). `started` is when it was started last. `error` is the
    daemon's complaint when it could not start the container at all.
    """

    service: str
    name: str
    id: str
    image: str
    status: str
    health: str
    exit_code: int
    out_of_memory: bool
    restarts: int
    started: datetime | None
    error: str
    last_probe: Probe | None
    ports: tuple[PublishedPort, ...]
    agent: str

    @property
    def word(self) -> str:
        """The state in one word, as the tables show it."""
        return self.health or "ok" if self.status == "running" else self.status

    @property
    def is_well(self) -> bool:
        """Running, and healthy as far as it has a health check."""
        return self.status == "running" and self.health in {"healthy", ""}

    @property
    def url(self) -> str:
        """Where a person looks at the agent's health; empty for services that publish nothing."""
        if not self.ports:
            return ""
        address = self.ports[0].address
        host = "127.0.0.1" if address in {"0.0.0.0", "::"} else f"[{address}]" if ":" in address else address  # noqa: S104
        path = f"/health/{self.agent}" if self.agent else "/"
        return f"http://{host}:{self.ports[0].number}{path}"


def observe_containers(client: docker.DockerClient, project: str) -> dict[str, ContainerState]:
    """The project's containers by service; one-off containers of `compose run` are left out."""
    states = map(parse_container, containers.inspect_project(client, project))
    return {state.service: state for state in states if state is not None}


def parse_container(document: Mapping[str, Any]) -> ContainerState | None:
    """The state in a `docker inspect` document; None for a container that is no service."""
    labels = document["Config"].get("Labels") or {}
    if containers.SERVICE_LABEL not in labels or labels.get(containers.ONE_OFF_LABEL) == "True":
        return None
    state = document["State"]
    health = state.get("Health") or {}
    return ContainerState(
        service=labels[containers.SERVICE_LABEL],
        name=document["Name"].removeprefix("/"),
        id=document["Id"],
        image=document["Config"].get("Image", ""),
        status=state["Status"],
        health="" if health.get("Status") in {None, "none"} else health["Status"],
        exit_code=int(state.get("ExitCode", 0)),
        out_of_memory=bool(state.get("OOMKilled")),
        restarts=int(document.get("RestartCount", 0)),
        started=_moment(state.get("StartedAt", "")),
        error=state.get("Error", ""),
        last_probe=_last_probe(health.get("Log") or ()),
        ports=_ports(document),
        agent=_variable(document["Config"].get("Env") or (), "AGENT_NAME"),
    )


def _last_probe(log: Sequence[Mapping[str, Any]]) -> Probe | None:
    if not log:
        return None
    last = log[-1]
    began, ended = _moment(str(last["Start"])), _moment(str(last["End"]))
    return Probe(int(last["ExitCode"]), str(last["Output"]).strip(), began, ended)


def _ports(document: Mapping[str, Any]) -> tuple[PublishedPort, ...]:
    """From what was asked for, not from what is bound now: a stopped container has its URL too."""
    bindings = (document.get("HostConfig") or {}).get("PortBindings") or {}
    return tuple(
        PublishedPort(each.get("HostIp") or "0.0.0.0", int(each["HostPort"]))  # noqa: S104 - the engine's default
        for targets in bindings.values()
        for each in targets or ()
        if each.get("HostPort")
    )


def _moment(stamp: str) -> datetime | None:
    """The engine's time stamp, which has nanoseconds; its year 1 means never."""
    if not stamp or stamp.startswith("0001-"):
        return None
    seconds, _, fraction = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}").replace(tzinfo=UTC)


def _variable(environment: Sequence[str], name: str) -> str:
    return next((line.partition("=")[2] for line in environment if line.startswith(f"{name}=")), "")
