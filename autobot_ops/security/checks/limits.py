"""What a container may use up, and how it comes back: S09 to S12, S24, S28, S29. Pure."""

from __future__ import annotations

from autobot_ops.security.answers import YES, Answer, judged, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, StackFacts, Unseen

RESTARTS = ("unless-stopped", "always", "on-failure")
ROTATED_WITH_A_SIZE = ("json-file",)
ROTATED_BY_THEMSELVES = ("local", "none")
NEVER_ENDING = ("", "0", "-1")


def memory_limit(container: Container, _: StackFacts) -> Answer:
    """S09."""
    host_config = container.inspect["HostConfig"]
    found = []
    if not int(host_config.get("Memory") or 0) > 0:
        found.append("no memory limit")
    elif int(host_config.get("MemorySwap") or 0) < 0:
        found.append("swap without a limit")
    if host_config.get("OomKillDisable"):
        found.append("nothing ends it at its memory limit")
    return judged(found)


def cpu_limit(container: Container, _: StackFacts) -> Answer:
    """S10."""
    host_config = container.inspect["HostConfig"]
    limited = int(host_config.get("NanoCpus") or 0) > 0 or int(host_config.get("CpuQuota") or 0) > 0
    return judged([] if limited else ["no CPU limit"])


def process_limit(container: Container, _: StackFacts) -> Answer:
    """S11."""
    limit = container.inspect["HostConfig"].get("PidsLimit")
    return judged([] if limit and int(limit) > 0 else ["no limit of processes"])


def restart_policy(container: Container, _: StackFacts) -> Answer:
    """S12."""
    name = (container.inspect["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"
    return judged([] if name in RESTARTS else [f"its restart policy is '{name}'"])


def healthy(container: Container, _: StackFacts) -> Answer:
    """S24."""
    check = (container.inspect["Config"].get("Healthcheck") or {}).get("Test") or []
    state = container.inspect["State"]
    status = (state.get("Health") or {}).get("Status") or "none"
    found = []
    if not check or check[0] == "NONE":
        found.append("no health check")
    elif state.get("Status") != "running":
        found.append(f"it is {state.get('Status')}")
    elif status != "healthy":
        found.append(f"it is {status}")
    return judged(found)


def logs_rotate(container: Container, _: StackFacts) -> Answer:
    """S28."""
    configuration = container.inspect["HostConfig"].get("LogConfig") or {}
    driver = configuration.get("Type") or ""
    if driver in ROTATED_BY_THEMSELVES:
        return YES
    if driver not in ROTATED_WITH_A_SIZE:
        return unknown(f"how long logs of the driver '{driver}' are kept is decided elsewhere")
    size = (configuration.get("Config") or {}).get("max-size", "")
    return judged([f"logs of the driver '{driver}' grow without an end"] if size in NEVER_ENDING else [])


def resource_limits(container: Container, _: StackFacts) -> Answer:
    """S29."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    asked = {each["Name"]: each for each in container.inspect["HostConfig"].get("Ulimits") or ()}
    found = [f"no limit '{name}' is asked for" for name in ("nofile", "core") if name not in asked]
    core = container.inside.limits["Max core file size"]
    if core != ("0", "0"):
        found.append(f"the kernel writes core files up to {core[1]}")
    if "unlimited" in container.inside.limits["Max open files"]:
        found.append("the kernel sets no limit of open files")
    return judged(found)


CHECKS = (
    Check("S09", "memory limit", memory_limit),
    Check("S10", "CPU limit", cpu_limit),
    Check("S11", "limit of processes", process_limit),
    Check("S12", "a restart policy", restart_policy),
    Check("S24", "a health check, and healthy", healthy),
    Check("S28", "logs rotate", logs_rotate),
    Check("S29", "limits of open files, and no core files", resource_limits),
)
