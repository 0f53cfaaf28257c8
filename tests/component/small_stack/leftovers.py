"""Removal of what belongs to one Compose project, by its label and nothing else."""

from __future__ import annotations

import docker
from docker.errors import APIError

from autobot_ops.adapters.containers import PROJECT_LABEL
from tests.waiting import wait_until

REMOVED_SECONDS = 30
CHANGING = {403, 404, 409}
"""What the engine answers of a network with containers, of what has just gone, and of a volume in use."""


def remove_project(engine: docker.DockerClient, project: str) -> None:
    """Remove its containers, networks and volumes, if there are any.

    The engine goes on with a container that a Compose which failed meanwhile had asked for: it may come into
    being after the others were listed, and hold a volume.
    """
    wait_until(lambda: _is_removed(engine, project), f"{project} is removed", REMOVED_SECONDS)


def _is_removed(engine: docker.DockerClient, project: str) -> bool:
    label: dict[str, str | list[str] | bool] = {"label": f"{PROJECT_LABEL}={project}"}
    try:
        for container in engine.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)
        for network in engine.networks.list(filters=label):
            network.remove()
        for volume in engine.volumes.list(filters=label):
            volume.remove(force=True)
    except APIError as error:
        if error.status_code not in CHANGING:
            raise
        return False
    return True
