"""What is checked before anything is started: free ports, disk and memory. Each error names its fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from autobot_ops.adapters import containers, host
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.stack.compose import PublishedPort, Service
from autobot_ops.stack.stack import Stack

GIBIBYTE = 1 << 30
DISK_NEEDED = 1 * GIBIBYTE
"""For volumes and logs of a stack that starts; a build checks for its own."""


class PortTaken(ServiceUnreachable):
    """Somebody else listens where a service shall be published."""


class DiskFull(ServiceUnreachable):
    """Too little space for what is going to be written."""


class MemoryTooSmall(ServiceUnreachable):
    """The engine's machine has less memory than the services usually need."""


def check_host(stack: Stack, services: Mapping[str, Service], starting: Iterable[str]) -> None:
    """Raise PortTaken, DiskFull or MemoryTooSmall if `starting` can't be started here.

    With an engine on another machine only its memory can be known.
    """
    names = list(starting)
    if not names:
        return
    facts = containers.engine_facts(stack.client)
    check_memory(sum(service.memory for service in services.values()), facts.memory)
    if not stack.client.api.base_url.startswith("http+docker://"):
        return
    data_folder = Path(facts.data_folder)
    check_disk(data_folder if data_folder.exists() else stack.settings.root)
    check_ports(
        [(services[name], port) for name in names for port in services[name].ports],
        containers.published_ports(stack.client),
    )


def check_ports(wanted: Iterable[tuple[Service, PublishedPort]], published: Mapping[int, str]) -> None:
    """Raise PortTaken with every port that is held, and by whom. `published`: host port → container."""
    held = []
    for service, port in wanted:
        container = published.get(port.number)
        if container == service.container_name:
            continue
        if container is not None:
            held.append((service, port, f"container {container}"))
        elif not host.port_is_free(port.address, port.number):
            held.append((service, port, host.port_holder(port.number) or "another program"))
    if held:
        raise PortTaken(
            ", ".join(
                f"port {port.number} ({service.name}) is taken by {who}" for service, port, who in held
            ),
            hint="Free it, or choose other ports: AUTOBOT_PORT_OFFSET=1000 inv up",
        )


def check_disk(folder: Path) -> None:
    """Raise DiskFull if less than DISK_NEEDED is free there."""
    free = host.free_bytes(folder)
    if free < DISK_NEEDED:
        raise DiskFull(
            f"only {free / GIBIBYTE:.1f} GiB are free in {folder}, {DISK_NEEDED // GIBIBYTE} GiB are needed",
            hint="docker system df shows what Docker uses; docker builder prune frees the build cache.",
        )


def check_memory(needed: int, available: int) -> None:
    """Raise MemoryTooSmall if the services' usual needs exceed what the engine's machine has; bytes."""
    if available and needed > available:
        raise MemoryTooSmall(
            f"the services need about {needed / GIBIBYTE:.1f} GiB of memory, "
            f"Docker has {available / GIBIBYTE:.1f} GiB",
            hint="Give Docker more memory, or lower mem_reservation in compose/ if you know better.",
        )
