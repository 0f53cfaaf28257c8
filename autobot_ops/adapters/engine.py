"""The connection to the Docker engine."""

from __future__ import annotations

import docker
from docker.errors import DockerException

from autobot_ops.errors import ServiceUnreachable


class DaemonUnreachable(ServiceUnreachable):
    """No Docker engine answers."""


def connect(timeout: float = 60) -> docker.DockerClient:
    """A client of the engine that DOCKER_HOST or the default socket names; it has answered once.

    `timeout` is in seconds, for every later call too.
    """
    try:
        client = docker.from_env(timeout=int(timeout))
        client.ping()
    except DockerException as error:
        raise DaemonUnreachable(
            "the Docker engine does not answer",
            hint="Run scripts/bootstrap, which installs and starts it, or start the Docker service.",
        ) from error
    return client
