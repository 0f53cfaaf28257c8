"""What the Docker engine knows about a project's containers, as plain data.

The only module that calls the SDK for containers, images, volumes and networks. A daemon that stops
answering becomes DaemonUnreachable; a container that vanishes while it is looked at is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from autobot_ops.adapters.engine import DaemonUnreachable

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class EngineFacts:
    """What decides whether a stack fits: the engine's memory in bytes, its CPUs and its data folder."""

    memory: int
    cpus: int
    data_folder: str


@contextmanager
def speaking_to_the_daemon() -> Iterator[None]:
    """Have failures of the engine end as DaemonUnreachable."""
    try:
        yield
    except (DockerException, RequestException) as error:
        detail = error.explanation if isinstance(error, APIError) else str(error)
        raise DaemonUnreachable(
            f"the Docker engine failed to answer: {detail}".splitlines()[0],
            hint="Look at the engine itself: docker info, and its log.",
        ) from error


def engine_facts(client: docker.DockerClient) -> EngineFacts:
    """The engine's own machine; on Docker Desktop that is its virtual machine."""
    with speaking_to_the_daemon():
        info = client.info()
    return EngineFacts(
        memory=int(info.get("MemTotal", 0)),
        cpus=int(info.get("NCPU", 1)),
        data_folder=str(info.get("DockerRootDir", "")),
    )


def inspect_project(client: docker.DockerClient, project: str) -> list[dict[str, Any]]:
    """`docker inspect` of every container of a Compose project, stopped ones too."""
    with speaking_to_the_daemon():
        listed = client.api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={project}"})
        return [found for row in listed if (found := _inspect(client, row["Id"])) is not None]


def _inspect(client: docker.DockerClient, container_id: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = client.api.inspect_container(container_id)
    except NotFound:
        return None
    return document


def service_address(client: docker.DockerClient, project: str, service: str) -> str | None:
    """An address of a service's running container on its networks; None where none runs."""
    wanted = [f"{PROJECT_LABEL}={project}", f"{SERVICE_LABEL}={service}", f"{ONE_OFF_LABEL}=False"]
    with speaking_to_the_daemon():
        listed = client.api.containers(filters={"label": wanted, "status": "running"})
    networks = (network for row in listed for network in row["NetworkSettings"]["Networks"].values())
    return next((network["IPAddress"] for network in networks if network["IPAddress"]), None)


def last_log_lines(
    client: docker.DockerClient, container_id: str, count: int, *, since: float = 0
) -> list[str]:
    """The last lines that a container wrote since then (Unix time); empty when it is gone."""
    try:
        with speaking_to_the_daemon():
            raw: bytes = client.api.logs(container_id, tail=count, since=since or None)
    except DaemonUnreachable as error:
        if isinstance(error.__cause__, NotFound):
            return []
        raise
    return raw.decode(errors="replace").splitlines()


def missing_images(client: docker.DockerClient, references: Iterable[str]) -> frozenset[str]:
    """Those of the references that the engine doesn't have."""
    missing = set()
    with speaking_to_the_daemon():
        for reference in set(references):
            try:
                client.images.get(reference)
            except ImageNotFound:
                missing.add(reference)
    return frozenset(missing)


def published_ports(client: docker.DockerClient) -> dict[int, str]:
    """Host ports of running containers, with the container's name.

    Those of a container that the engine keeps restarting are among them: they are free for moments only.
    """
    with speaking_to_the_daemon():
        return {
            port: row["Names"][0].removeprefix("/")
            for row in client.api.containers()
            for port in _host_ports(client, row)
        }


def _host_ports(client: docker.DockerClient, row: Mapping[str, Any]) -> list[int]:
    if published := [port["PublicPort"] for port in row.get("Ports") or () if "PublicPort" in port]:
        return published
    # Between two of its runs a container publishes nothing; what it is going to publish stays with it.
    found = _inspect(client, row["Id"]) or {"HostConfig": {}}
    bindings = (found["HostConfig"].get("PortBindings") or {}).values()
    return [int(bound["HostPort"]) for each in bindings for bound in each or () if bound["HostPort"]]


def project_volumes(client: docker.DockerClient, project: str) -> tuple[str, ...]:
    """Names of the project's volumes."""
    with speaking_to_the_daemon():
        found = client.api.volumes(filters={"label": f"{PROJECT_LABEL}={project}"})
    return tuple(sorted(volume["Name"] for volume in found.get("Volumes") or ()))


def project_networks(client: docker.DockerClient, project: str) -> tuple[str, ...]:
    """Names of the project's networks."""
    with speaking_to_the_daemon():
        found = client.api.networks(filters={"label": f"{PROJECT_LABEL}={project}"})
    return tuple(sorted(network["Name"] for network in found))
