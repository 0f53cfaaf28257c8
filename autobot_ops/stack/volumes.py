"""The data volumes of the stack's agents, as their containers have them."""

from __future__ import annotations

from autobot_ops.adapters import containers
from autobot_ops.adapters.one_off import VolumeMount
from autobot_ops.backup.volumes import ServiceVolume
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.stack.stack import Stack

DATA_FOLDER = "/app/data"


class VolumeOutOfReach(ServiceUnreachable):
    """The service has no container, so nobody says which volume is its own."""


def data_volume(stack: Stack, service: str) -> ServiceVolume:
    """The volume that a service's container has on its data folder. Raises VolumeOutOfReach."""
    project = stack.settings.project
    for found in containers.inspect_project(stack.client, project):
        labels = found["Config"].get("Labels") or {}
        if labels.get(containers.SERVICE_LABEL) != service or labels.get(containers.ONE_OFF_LABEL) == "True":
            continue
        for mount in found["Mounts"]:
            if mount["Destination"] == DATA_FOLDER and mount["Type"] == "volume":
                image, user = found["Config"]["Image"], found["Config"]["User"]
                running = found["State"]["Running"] and not found["State"]["Paused"]
                return ServiceVolume(
                    service,
                    VolumeMount(project, mount["Name"], image, user),
                    found["Id"] if running else None,
                )
    raise VolumeOutOfReach(
        f"{service} has no container with a data volume", hint="Run inv up, then the backup again."
    )
