"""One container as the engine describes it, with its image and networks, and a look inside it.

Reads only. A daemon that stops answering becomes DaemonUnreachable, as in adapters/containers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError

from autobot_ops.adapters.containers import speaking_to_the_daemon
from autobot_ops.errors import ServiceUnreachable

Document = Mapping[str, Any]
NO_SHELL = (126, 127)


class NotExecutable(ServiceUnreachable):
    """A program could not be run inside a container: it doesn't run, or lacks the program."""


@dataclass(frozen=True)
class ContainerView:
    """The engine's documents on a container: its image's, its image's history, its networks' by name."""

    image: Document
    history: tuple[Document, ...]
    networks: Mapping[str, Document]


def view(client: docker.DockerClient, inspected: Document) -> ContainerView:
    """What belongs to a container whose `docker inspect` document is given."""
    attached = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    with speaking_to_the_daemon():
        image = client.images.get(inspected["Image"])
        return ContainerView(
            image=image.attrs,
            history=tuple(image.history()),
            networks={
                name: client.api.inspect_network(each["NetworkID"])
                for name, each in attached.items()
                if each.get("NetworkID")
            },
        )


def image_document(client: docker.DockerClient, reference: str) -> Document:
    """`docker image inspect`."""
    with speaking_to_the_daemon():
        document: Document = client.images.get(reference).attrs
    return document


def engine_document(client: docker.DockerClient) -> Document:
    """`docker info`."""
    with speaking_to_the_daemon():
        document: Document = client.info()
    return document


def run_script(client: docker.DockerClient, container_id: str, script: str, *, user: str = "") -> str:
    """What a script for `sh` prints in a running container, as its own user or another.

    What the script says on standard error, and its exit code, are the script's own business. Raises
    NotExecutable.
    """
    with speaking_to_the_daemon():
        try:
            made = client.api.exec_create(container_id, ["sh", "-c", script], user=user, stderr=False)
            output: bytes = client.api.exec_start(made["Id"])
            status = client.api.exec_inspect(made["Id"])["ExitCode"]
        except APIError as error:
            raise NotExecutable(f"it can't be looked into: {error.explanation}") from error
    if status in NO_SHELL:
        raise NotExecutable("it can't be looked into: it has no shell")
    return output.decode(errors="replace")
