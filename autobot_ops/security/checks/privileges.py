"""What the processes of a container may do: S01 to S06, S13. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autobot_ops.security.answers import Answer, judged, not_applicable, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, StackFacts, Unseen

LEAST_USER = 10000
"""Users of the host and of its packages are below: a number above belongs to nobody there."""

CAPABILITY_SETS = ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")
SECCOMP_FILTER = "2"


def not_privileged(container: Container, _: StackFacts) -> Answer:
    """S01."""
    privileged = container.inspect["HostConfig"].get("Privileged")
    return judged(["it is privileged"] if privileged else [])


def no_capabilities(container: Container, _: StackFacts) -> Answer:
    """S02. A capability that is needed is added with a waiver, which documents it."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    host_config, status = container.inspect["HostConfig"], container.inside.status
    found = []
    if not {name.upper() for name in host_config.get("CapDrop") or ()} & {"ALL", "CAP_ALL"}:
        found.append("not every capability is dropped")
    found += [f"{name} is added" for name in host_config.get("CapAdd") or ()]
    found += [f"{name} is {status[name]}" for name in CAPABILITY_SETS if int(status[name], 16)]
    return judged(found)


def no_new_privileges(container: Container, _: StackFacts) -> Answer:
    """S03."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = []
    if not {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"} & _options(container):
        found.append("no-new-privileges isn't asked for")
    if container.inside.status["NoNewPrivs"] != "1":
        found.append("the kernel says that its processes may gain rights")
    return judged(found)


def seccomp(container: Container, _: StackFacts) -> Answer:
    """S04."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = [f"{option} is asked for" for option in _unconfined(container, "seccomp")]
    # A kernel that can't filter has no such line.
    if container.inside.status.get("Seccomp") != SECCOMP_FILTER:
        found.append("the kernel says that no filter of system calls is on")
    return judged(found)


def apparmor(container: Container, facts: StackFacts) -> Answer:
    """S05."""
    # Asked for is asked for, also where this kernel has nothing to switch off.
    found = [f"{option} is asked for" for option in _unconfined(container, "apparmor")]
    has_it = any("apparmor" in option for option in facts.engine.get("SecurityOptions") or ())
    if has_it and container.inspect.get("AppArmorProfile") in {"", None, "unconfined"}:
        found.append("no AppArmor profile holds")
    if found or has_it:
        return judged(found)
    return not_applicable("the engine's kernel has no AppArmor")


def numeric_user(container: Container, _: StackFacts) -> Answer:
    """S06."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = [
        f"the {where} says user '{user}'"
        for where, user in (
            ("image", container.image["Config"].get("User") or ""),
            ("container", container.inspect["Config"].get("User") or ""),
        )
        if not _is_high_user(user)
    ]
    # Real, effective, saved, and that of the file system.
    for field, word in (("Uid", "user"), ("Gid", "group")):
        numbers = container.inside.status[field].split()
        found += [f"its process runs as {word} {n}" for n in numbers if int(n) <= LEAST_USER]
    return judged(found)


def own_namespaces(container: Container, _: StackFacts) -> Answer:
    """S13."""
    host_config = container.inspect["HostConfig"]
    modes = {
        "network": host_config.get("NetworkMode"),
        "process": host_config.get("PidMode"),
        "ipc": host_config.get("IpcMode"),
        "host name": host_config.get("UTSMode"),
        "user": host_config.get("UsernsMode"),
    }
    return judged(
        f"its {name} namespace is '{mode}'"
        for name, mode in modes.items()
        if mode and (mode == "host" or mode.startswith("container:"))
    )


def _options(container: Container) -> set[str]:
    return set(container.inspect["HostConfig"].get("SecurityOpt") or ())


def _unconfined(container: Container, kind: str) -> Iterator[str]:
    for option in sorted(_options(container)):
        if option.replace(":", "=", 1) == f"{kind}=unconfined":
            yield option


def _is_high_user(user: str) -> bool:
    number, _, group = user.partition(":")
    return all(each.isdigit() and int(each) > LEAST_USER for each in (number, group or number))


CHECKS = (
    Check("S01", "not privileged", not_privileged),
    Check("S02", "no capabilities", no_capabilities),
    Check("S03", "can gain no privileges", no_new_privileges),
    Check("S04", "system calls are filtered (seccomp)", seccomp),
    Check("S05", "AppArmor is not unconfined", apparmor),
    Check("S06", "numeric user above 10000, in the image and at run time", numeric_user),
    Check("S13", "no namespace of the host or of another container", own_namespaces),
)
