"""The stack's life: up, down, status, logs, shell, restart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke import Context

from autobot_ops.command import current_stack, recorded, task, verb

if TYPE_CHECKING:
    from autobot_ops.stack.status import StatusRow

WATCH_SECONDS = 2
ERASE_LINE = "\x1b[2K"
"""Compose 2.26 begins log lines with it even where no terminal is."""


@task(
    help={
        "dry_run": "show what would be done, change nothing",
        "json": "print one JSON document",
        "build": "build images that are missing (--no-build: refuse instead)",
    }
)
@verb
@recorded("up")
def up(context: Context, dry_run: bool = False, json: bool = False, build: bool = True) -> None:
    """Start the stack and wait until every service is healthy."""
    import time
    from dataclasses import asdict

    from autobot_ops import frontend
    from autobot_ops.stack.failure import StackFailure
    from autobot_ops.stack.references import image_builder, images_to_run
    from autobot_ops.stack.separation import startup_check
    from autobot_ops.stack.up import apply_up, plan_up

    began = time.monotonic()
    stack = current_stack()
    images = images_to_run(stack, os.environ)
    plan = plan_up(stack, images)
    if dry_run or context.config.run.dry:
        if json:
            steps = [asdict(step) for step in plan.steps]
            frontend.emit_json({"project": stack.settings.project, "steps": steps})
        else:
            frontend.result("\n".join(map(str, plan.steps)) or "nothing to do: every service is as described")
        return
    for step in plan.preparation:
        frontend.say(str(step))
    try:
        with frontend.progress("", ("service", "state", "")) as progress:
            builder = image_builder(
                stack,
                os.environ,
                watch=lambda event: progress.update(f"image {event.target}", "building"),
                say=frontend.say,
            )
            reports = apply_up(
                stack,
                images,
                plan,
                build_images=builder if build else None,
                on_change=lambda name, state, seconds: progress.update(name, state, f"{seconds:.1f} s"),
            )
    except StackFailure as failure:
        frontend.say(failure.report)
        raise
    seconds = round(time.monotonic() - began, 1)
    for line in startup_check(stack):
        frontend.warn(line)
    if json:
        rows = [asdict(report) for report in reports]
        frontend.emit_json({"project": stack.settings.project, "seconds": seconds, "services": rows})
        return
    frontend.table(
        f"{stack.settings.project}: {len(reports)} services healthy in {seconds} s",
        ("service", "health", "URL", "seconds"),
        [report.cells for report in reports],
    )


@task(
    help={
        "volumes": "remove the data as well; asks first",
        "yes": "don't ask",
        "dry_run": "show what would be removed, remove nothing",
    }
)
@verb
@recorded("down", "volumes")
def down(context: Context, volumes: bool = False, yes: bool = False, dry_run: bool = False) -> None:
    """Stop the stack and remove its containers; data stay unless --volumes says otherwise."""
    from autobot_ops import frontend
    from autobot_ops.stack.down import apply_down, plan_down

    stack = current_stack()
    plan = plan_down(stack, volumes=volumes)
    if dry_run or context.config.run.dry:
        frontend.result("\n".join(plan.lines))
        return
    if not plan.lines:
        frontend.say(f"nothing of {stack.settings.project} is there")
        return
    if plan.volumes:
        frontend.say("\n".join(plan.lines))
        frontend.confirm(f"delete the data of {stack.settings.project} for good?", assume_yes=yes)
    apply_down(stack, plan)
    frontend.say(f"removed {plan.summary}")


@task(help={"json": "print one JSON document", "watch": "go on showing it, until Ctrl-C"})
@verb
def status(context: Context, json: bool = False, watch: bool = False) -> None:
    """Show every service: health, address, image, how long it has been up."""
    import time
    from contextlib import suppress
    from dataclasses import asdict
    from datetime import UTC, datetime

    from autobot_ops import frontend
    from autobot_ops.stack.status import status_rows

    stack = current_stack()
    columns = ("service", "health", "URL", "image", "up", "restarts", "remark")

    def look() -> list[StatusRow]:
        return status_rows(stack.service_names, stack.observe(), datetime.now(UTC))

    if json:
        rows = [asdict(row) for row in look()]
        frontend.emit_json({"project": stack.settings.project, "services": rows})
    elif watch:
        # On a pipe, a line for each change of health instead of the same table again and again.
        with suppress(KeyboardInterrupt), frontend.progress(stack.settings.project, columns) as progress:
            while True:
                for row in look():
                    progress.update(*row.cells)
                time.sleep(WATCH_SECONDS)
    else:
        frontend.table(stack.settings.project, columns, [row.cells for row in look()])


@task(
    help={
        "service": "a service or agent, or all",
        "follow": "go on until Ctrl-C",
        "tail": "lines of each service",
    }
)
@verb
def logs(context: Context, service: str, follow: bool = False, tail: int = 100) -> None:
    """Show what a service wrote, or all of them."""
    import sys
    from contextlib import suppress

    from autobot_ops import frontend

    stack = current_stack()
    compose, chosen = stack.compose_for_looking(), stack.services_meant(service)
    arguments = ["logs", "--tail", str(tail), *(["--follow"] if follow else []), *chosen]
    # Ctrl-C is how one stops following, and `| head` has seen enough.
    with suppress(KeyboardInterrupt, frontend.OutputClosed):
        if sys.stdout.isatty():
            compose.execute(*arguments)
            return
        # For a program: what the service wrote and nothing else, so that `inv logs chat | jq` works.
        plain = ["--no-color", *(["--no-log-prefix"] if len(chosen) == 1 else [])]
        for line in compose.stream(*arguments, *plain):
            frontend.result(line.removeprefix(ERASE_LINE))


@task(help={"service": "a service or agent"})
@verb
def shell(context: Context, service: str) -> None:
    """Open a shell in a service's container."""
    from contextlib import suppress

    from autobot_ops.adapters.process import CommandFailed

    stack = current_stack()
    # A shell ends with the status of its last command, which says nothing about us.
    with suppress(CommandFailed):
        stack.compose_for_looking().execute("exec", stack.running_service(service), "bash")


@task(help={"service": "a service or agent, or all"})
@verb
@recorded("restart", "service")
def restart(context: Context, service: str) -> None:
    """Restart a service, or all of them, and wait until they are healthy again."""
    from autobot_ops import frontend
    from autobot_ops.stack.failure import StackFailure
    from autobot_ops.stack.restart import restart_services

    stack = current_stack()
    try:
        with frontend.progress("", ("service", "state", "seconds")) as progress:
            took = restart_services(
                stack,
                service,
                on_change=lambda name, state, seconds: progress.update(name, state, f"{seconds:.1f}"),
            )
    except StackFailure as failure:
        frontend.say(failure.report)
        raise
    frontend.table("", ("service", "seconds"), [(name, f"{seconds:.1f}") for name, seconds in took.items()])


TASKS = (up, down, status, logs, shell, restart)
