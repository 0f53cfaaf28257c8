"""What a container sees of file systems: S07, S08, S14 to S16. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from autobot_ops.security.answers import Answer, judged, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, Mount, StackFacts, Unseen

FOLDERS_OF_THE_HOST = ("/dev", "/proc", "/sys", "/etc")
SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
FOLDERS_OF_SOCKETS = ("/run", "/var/run", "/run/docker", "/run/containerd", "/run/podman")
SHARED = ("shared", "rshared")

MADE_BY_THE_RUNTIME = ("/dev", "/sys/fs/cgroup", "/proc")
"""Device nodes, the tree of cgroups where the kernel has version 1, and covers of files in /proc.

Every container has them like this and only root can write there, who is nobody here. What is mounted
below /dev is judged.
"""


def read_only_root(container: Container, _: StackFacts) -> Answer:
    """S07."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = []
    if not container.inspect["HostConfig"].get("ReadonlyRootfs"):
        found.append("a read-only root isn't asked for")
    if not any(mount.path == "/" and "ro" in mount.options for mount in container.inside.mounts):
        found.append("the kernel has its root mounted for writing")
    return judged([*found, *(f"{path} can be written" for path in container.inside.writable)])


def safe_tmpfs(container: Container, _: StackFacts) -> Answer:
    """S08. What counts is what the kernel has mounted, whoever asked for it."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = []
    for mount in container.inside.mounts:
        if mount.filesystem != "tmpfs" or "ro" in mount.options or _is_the_runtimes(mount):
            continue
        found += [f"{mount.path} is mounted without {option}" for option in _missing_options(mount)]
    return judged(found)


def no_devices(container: Container, _: StackFacts) -> Answer:
    """S14."""
    host_config = container.inspect["HostConfig"]
    found = [f"the device {each['PathOnHost']}" for each in host_config.get("Devices") or ()]
    found += [
        f"devices of the driver '{each.get('Driver', '')}'"
        for each in host_config.get("DeviceRequests") or ()
    ]
    found += [f"the rule for devices '{rule}'" for rule in host_config.get("DeviceCgroupRules") or ()]
    for source, target in _binds(container):
        if source == "/" or any(_is_below(source, folder) for folder in FOLDERS_OF_THE_HOST):
            found.append(f"{source} of the host is mounted on {target}")
    return judged(found)


def no_engine_socket(container: Container, _: StackFacts) -> Answer:
    """S15."""
    found = [
        f"{source} of the host is mounted on {target}"
        for source, target in _binds(container)
        if PurePosixPath(source).name in SOCKETS
        or PurePosixPath(target).name in SOCKETS
        or source in {"/", *FOLDERS_OF_SOCKETS}
    ]
    variables = container.inspect["Config"].get("Env") or ()
    found += [f"the variable {each}" for each in variables if each.startswith("DOCKER_HOST=")]
    return judged(found)


def no_shared_propagation(container: Container, _: StackFacts) -> Answer:
    """S16."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    asked = [
        f"{each['Destination']} is mounted as {each['Propagation']}"
        for each in container.inspect.get("Mounts") or ()
        if each.get("Propagation") in SHARED
    ]
    seen = [
        f"the kernel shares mounts below {mount.path}" for mount in container.inside.mounts if mount.shared
    ]
    return judged([*asked, *seen])


def _missing_options(mount: Mount) -> Iterator[str]:
    yield from (option for option in ("noexec", "nosuid") if option not in mount.options)
    if not any(option.startswith("size=") for option in mount.options):
        yield "a size"


def _is_the_runtimes(mount: Mount) -> bool:
    return mount.path in MADE_BY_THE_RUNTIME or _is_below(mount.path, "/proc")


def _binds(container: Container) -> Iterator[tuple[str, str]]:
    """Source on the host and target of each bind mount."""
    for each in container.inspect.get("Mounts") or ():
        if each.get("Type") == "bind":
            yield each["Source"], each["Destination"]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


CHECKS = (
    Check("S07", "read-only root", read_only_root),
    Check("S08", "each tmpfs has noexec, nosuid and a size", safe_tmpfs),
    Check("S14", "no devices, and nothing of the host's /dev, /proc, /sys, /etc", no_devices),
    Check("S15", "no socket of the engine", no_engine_socket),
    Check("S16", "no mount propagates", no_shared_propagation),
)
