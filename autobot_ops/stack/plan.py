"""What `inv up` has to do, as data. Pure: no Docker, no clock, no files, no printing.

The printed plan is the dry run, the log and the golden test at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autobot_ops.isolation.tls_files import SERVERS
from autobot_ops.stack.compose import ABSENT, DIFFERENT, STOPPED, Service, start_order
from autobot_ops.stack.health import ContainerState

KEEP, CREATE, RECREATE, START, RESTART = "keep", "create", "recreate", "start", "restart"
WRITE, MAKE, CORRECT, BUILD, LOAD_USERS = "write", "make", "correct", "build", "load"
LOAD_CERTIFICATE = "load certificate into"


@dataclass(frozen=True)
class Step:
    """One thing to do, to what, and why."""

    action: str
    target: str
    cause: str

    def __str__(self) -> str:
        return f"{self.action} {self.target}: {self.cause}"


@dataclass(frozen=True)
class StartPlan:
    """What to do with each service, in stages: a stage begins when the one before it is healthy."""

    stages: tuple[tuple[Step, ...], ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        return tuple(step for stage in self.stages for step in stage)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action != KEEP)


def plan_preparation(
    *,
    files: Mapping[str, str],
    missing_secrets: Sequence[str],
    wrong_access: Sequence[str],
    certificates: Mapping[str, str],
    users_differ: bool,
    running: Collection[str],
    missing_images: Iterable[str] = (),
) -> tuple[Step, ...]:
    """What must be there before a container can start, and what running ones must read again.

    `files` and `certificates` map what must be written to the reason; `running` names services.
    """
    steps = [Step(WRITE, path, cause) for path, cause in files.items()]
    steps += [Step(MAKE, f"secret {name}", "it is missing") for name in missing_secrets]
    steps += [Step(CORRECT, f"secret {name}", "its mode or group is wrong") for name in wrong_access]
    steps += [Step(MAKE, f"secret {name}", cause) for name, cause in certificates.items()]
    steps += [
        Step(LOAD_CERTIFICATE, service, "it runs with the former certificate")
        for service, name in SERVERS.items()
        if name in certificates and service in running
    ]
    if users_differ:
        steps.append(Step(WRITE, "secret redis_users_acl", "catalogs and passwords say otherwise"))
        if "redis" in running:
            steps.append(Step(LOAD_USERS, "users into redis", "it runs with the former ones"))
    steps += [Step(BUILD, f"image {image}", "it is missing") for image in missing_images]
    return tuple(steps)


def plan_start(
    services: Mapping[str, Service],
    found: Mapping[str, str],
    containers: Mapping[str, ContainerState],
) -> StartPlan:
    """What to do with each service. `found` is Compose's own comparison, as far as it could compare."""
    return StartPlan(
        tuple(
            tuple(_step(services[name], found.get(name), containers.get(name)) for name in stage)
            for stage in start_order(services)
        )
    )


def _step(service: Service, found: str | None, container: ContainerState | None) -> Step:
    if container is None or found == ABSENT:
        action, cause = CREATE, "it isn't there"
    elif container.image != service.image:
        action, cause = RECREATE, f"its image becomes {service.image}"
    elif found == DIFFERENT:
        action, cause = RECREATE, "its description changed"
    elif container.status == "restarting":
        # Left alone, the engine would wait longer after each end, up to a minute.
        action, cause = RESTART, f"it keeps ending, {container.restarts} times so far"
    elif found == STOPPED or container.status != "running":
        action, cause = START, f"it is {container.status}"
    elif found is None:
        action, cause = START, "Compose didn't say whether it is as described"
    else:
        action, cause = KEEP, f"it is as described and {container.word}"
    return Step(action, service.name, cause)
