"""`inv up`: observe, plan, apply, verify. Prints nothing; what happens is told through callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from autobot_ops.adapters import containers, process
from autobot_ops.errors import ConfigurationError, Interrupted
from autobot_ops.stack import plan as plans
from autobot_ops.stack.compose import Compose, Service
from autobot_ops.stack.diagnosis import Evidence
from autobot_ops.stack.environment import EXAMPLE_SUFFIX
from autobot_ops.stack.failure import StackFailure, failure_of, watched_failure
from autobot_ops.stack.health import ContainerState
from autobot_ops.stack.plan import StartPlan, Step, plan_preparation, plan_start
from autobot_ops.stack.preflight import check_host
from autobot_ops.stack.prepare import FileWork, apply_files, observe_files
from autobot_ops.stack.server_certificates import load_certificate
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.users import load_users
from autobot_ops.stack.watch import Failure, OnChange, wait_until_well

BuildImages = Callable[[Sequence[str]], None]
"""Builds images by the names of their bake targets; raises an OpsError if it fails."""


class ImagesMissing(ConfigurationError):
    """Images aren't built and building wasn't wanted."""


@dataclass(frozen=True)
class UpPlan:
    """Everything that `up` has to do, and what it was derived from."""

    files: FileWork
    missing_images: tuple[str, ...]
    services: Mapping[str, Service]
    containers: Mapping[str, ContainerState]
    preparation: tuple[Step, ...]
    start: StartPlan

    @property
    def steps(self) -> tuple[Step, ...]:
        """What changes something, in order."""
        return (*self.preparation, *self.start.changes)


@dataclass(frozen=True)
class ServiceReport:
    """One line of the closing table; `seconds` is None for a service that was left as it was."""

    service: str
    health: str
    url: str
    seconds: float | None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The line as the table shows it."""
        took = "as it was" if self.seconds is None else f"{self.seconds:.1f}"
        return (self.service, self.health, self.url, took)


def plan_up(stack: Stack, images: Mapping[str, str]) -> UpPlan:
    """Look at everything and plan; changes nothing. Raises what preflight and preparation refuse.

    `images` maps each image's name to the reference that it must have now.
    """
    environment = stack.environment(images)
    files = observe_files(stack, environment)
    # Before the person's own environment files exist, the examples say the same.
    compose = stack.compose(images, env_suffix=EXAMPLE_SUFFIX if files.texts else None)
    services = compose.load_model()
    running = stack.observe()
    absent = containers.missing_images(stack.client, (service.image for service in services.values()))
    known = [service for service in services.values() if service.image not in absent]
    found = compose.compare(known) if running else {}
    start = plan_start(services, found, running)
    check_host(stack, services, (step.target for step in start.changes))
    missing_images = tuple(name for name, reference in images.items() if reference in absent)
    preparation = plan_preparation(
        files=files.causes,
        missing_secrets=files.missing_secrets,
        wrong_access=files.wrong_access,
        users_differ=files.users_differ,
        certificates=files.certificates,
        running={step.target for step in start.steps if step.action == plans.KEEP},
        missing_images=missing_images,
    )
    return UpPlan(files, missing_images, services, running, preparation, start)


def apply_up(
    stack: Stack,
    images: Mapping[str, str],
    plan: UpPlan,
    *,
    build_images: BuildImages | None,
    on_change: OnChange,
) -> list[ServiceReport]:
    """Do what the plan says and wait until every service is healthy.

    Raises StackFailure at the first certain failure; what was started stays, so that it can be looked
    at and the next run goes on from there. Raises ImagesMissing, Interrupted and what building raises.
    """
    began = time.monotonic()
    if plan.missing_images:
        if build_images is None:
            missing = ", ".join(plan.missing_images)
            raise ImagesMissing(f"images are missing: {missing}", hint="Build them: inv build")
        build_images(plan.missing_images)
    if plan.preparation:
        apply_files(stack, plan.files)
        if any(step.action == plans.LOAD_USERS for step in plan.preparation):
            load_users(stack)
        for step in plan.preparation:
            if step.action == plans.LOAD_CERTIFICATE:
                load_certificate(stack, step.target)
        # Images, files and time have changed since: look again before containers are touched.
        plan = plan_up(stack, images)
    compose = stack.compose(images)
    took: dict[str, float] = {}
    with _interruption_told(stack):
        for stage in plan.start.stages:
            remaining = stack.settings.up_timeout - (time.monotonic() - began)
            took |= _start_stage(stack, compose, plan, stage, seconds=remaining, on_change=on_change)
    return _report(stack, plan, took)


def _start_stage(
    stack: Stack,
    compose: Compose,
    plan: UpPlan,
    stage: Sequence[Step],
    *,
    seconds: float,
    on_change: OnChange,
) -> dict[str, float]:
    by_action: dict[str, list[str]] = {}
    for step in stage:
        by_action.setdefault(step.action, []).append(step.target)
    restarting = by_action.pop(plans.RESTART, [])
    kept = by_action.pop(plans.KEEP, [])
    starting = [name for names in by_action.values() for name in names]
    # What a service said while it lacked one of an earlier stage is over now.
    first = stack.observe()
    for name in (*starting, *restarting):
        on_change(name, "starting", 0)
    try:
        if starting:
            _run(compose, "up", "--detach", "--no-build", *starting)
        if restarting:
            _run(compose, "restart", "--no-deps", *restarting)
    except process.CommandFailed as error:
        raise _start_failure(stack, plan, (*starting, *restarting), error) from error
    try:
        return wait_until_well(
            stack.observe,
            (*starting, *restarting, *kept),
            seconds=seconds,
            first=first,
            on_change=on_change,
        )
    except Failure as failure:
        raise watched_failure(stack, failure) from failure


def _run(compose: Compose, *arguments: str) -> None:
    for _ in compose.stream(*arguments):
        pass


def _start_failure(
    stack: Stack, plan: UpPlan, names: Sequence[str], error: process.CommandFailed
) -> StackFailure:
    """Which service Compose could not start: the one that its last line names, or that the engine refused."""
    states = stack.observe()
    last_line = (error.output.strip().splitlines() or [""])[-1]
    named = [name for name in plan.services if plan.services[name].container_name in last_line]
    refused = [name for name in names if name in states and states[name].error]
    service = (*named, *refused, *names)[0]
    return failure_of(Evidence(service, states.get(service), complaint=last_line))


@contextmanager
def _interruption_told(stack: Stack) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        states = stack.observe()
        well = [name for name in stack.service_names if name in states and states[name].is_well]
        stands = f"healthy so far: {', '.join(well)}" if well else "nothing is healthy yet"
        raise Interrupted(
            f"interrupted, {stands}", hint="inv up goes on from here, inv down removes what was started."
        ) from error


def _report(stack: Stack, plan: UpPlan, took: Mapping[str, float]) -> list[ServiceReport]:
    states = stack.observe()
    changed = {step.target for step in plan.start.changes}
    ordered = [name for name in (*stack.service_names, *plan.services) if name in plan.services]
    return [
        ServiceReport(name, states[name].word, states[name].url, took[name] if name in changed else None)
        for name in dict.fromkeys(ordered)
    ]
