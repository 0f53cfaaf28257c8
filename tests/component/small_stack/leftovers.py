"""Removal of what belongs to one Compose project, by its label and nothing else."""

from __future__ import annotations

import docker

from autobot_ops.adapters.containers import PROJECT_LABEL


def remove_project(engine: docker.DockerClient, project: str) -> None:
    """Remove its containers, networks and volumes, if there are any."""
    label: dict[str, str | list[str] | bool] = {"label": f"{PROJECT_LABEL}={project}"}
    for container in engine.containers.list(all=True, filters=label):
        container.remove(force=True, v=True)
    for network in engine.networks.list(filters=label):
        network.remove()
    for volume in engine.volumes.list(filters=label):
        volume.remove(force=True)
