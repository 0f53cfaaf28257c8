"""AutoBot's front door. Each task loads the settings, calls the library and shows what it returns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke import Collection, Context, task

from autobot_ops.command import ROOT, verb

if TYPE_CHECKING:
    from autobot_ops.stack.stack import Stack


@task(name="show", default=True, help={"json": "print one JSON document"})
@verb
def config_show(context: Context, json: bool = False) -> None:
    """Show the resolved configuration and where each value came from."""
    from autobot_ops import frontend
    from autobot_ops.settings import resolve_settings

    resolved = resolve_settings(ROOT, os.environ)
    values = resolved.settings.model_dump(mode="json", include=set(resolved.origins))
    if json:
        frontend.emit_json(
            {field: {"value": values[field], "from": resolved.origins[field]} for field in values}
        )
        return
    rows = [(field, values[field], resolved.origins[field]) for field in values]
    frontend.table("", ("setting", "value", "from"), rows)


# ---- the stack's life ---------------------------------------------------------------------------


def _stack() -> Stack:
    from autobot_ops.settings import load_settings
    from autobot_ops.stack.stack import open_stack

    return open_stack(ROOT, load_settings(ROOT, os.environ))


@task(
    help={
        "dry_run": "show what would be done, change nothing",
        "json": "print one JSON document",
        "build": "build images that are missing (--no-build: refuse instead)",
    }
)
@verb
def up(context: Context, dry_run: bool = False, json: bool = False, build: bool = True) -> None:
    """Start the stack and wait until every service is healthy."""
    import time
    from dataclasses import asdict

    from autobot_ops import frontend
    from autobot_ops.stack.failure import StackFailure
    from autobot_ops.stack.references import image_builder, images_to_run
    from autobot_ops.stack.up import apply_up, plan_up

    began = time.monotonic()
    stack = _stack()
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
    if json:
        rows = [asdict(report) for report in reports]
        frontend.emit_json({"project": stack.settings.project, "seconds": seconds, "services": rows})
        return
    frontend.table(
        f"{stack.settings.project}: {len(reports)} services healthy in {seconds} s",
        ("service", "health", "URL", "seconds"),
        [
            (r.service, r.health, r.url, "as it was" if r.seconds is None else f"{r.seconds:.1f}")
            for r in reports
        ],
    )


@task(
    help={
        "volumes": "remove the data as well; asks first",
        "yes": "don't ask",
        "dry_run": "show what would be removed, remove nothing",
    }
)
@verb
def down(context: Context, volumes: bool = False, yes: bool = False, dry_run: bool = False) -> None:
    """Stop the stack and remove its containers; data stay unless --volumes says otherwise."""
    from autobot_ops import frontend
    from autobot_ops.stack.down import apply_down, plan_down

    stack = _stack()
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


@task(help={"json": "print one JSON document", "watch": "show it again every two seconds, until Ctrl-C"})
@verb
def status(context: Context, json: bool = False, watch: bool = False) -> None:
    """Show every service: health, address, image, how long it has been up."""
    import time
    from contextlib import suppress
    from dataclasses import asdict
    from datetime import UTC, datetime

    from autobot_ops import frontend
    from autobot_ops.stack.status import status_rows

    stack = _stack()

    def show() -> None:
        rows = status_rows(stack.service_names, stack.observe(), datetime.now(UTC))
        if json:
            frontend.emit_json({"project": stack.settings.project, "services": [asdict(row) for row in rows]})
        else:
            columns = ("service", "health", "URL", "image", "up", "restarts", "remark")
            frontend.table(stack.settings.project, columns, [row.cells for row in rows])

    show()
    with suppress(KeyboardInterrupt):
        while watch:
            time.sleep(2)
            show()


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
    from contextlib import suppress

    stack = _stack()
    chosen = stack.services_meant(service)
    following = ["--follow"] if follow else []
    # Ctrl-C is how one stops following.
    with suppress(KeyboardInterrupt):
        stack.compose_for_looking().execute("logs", "--tail", str(tail), *following, *chosen)


@task(help={"service": "a service or agent"})
@verb
def shell(context: Context, service: str) -> None:
    """Open a shell in a service's container."""
    from contextlib import suppress

    from autobot_ops.adapters.process import CommandFailed

    stack = _stack()
    # A shell ends with the status of its last command, which says nothing about us.
    with suppress(CommandFailed):
        stack.compose_for_looking().execute("exec", stack.running_service(service), "bash")


@task(help={"service": "a service or agent, or all"})
@verb
def restart(context: Context, service: str) -> None:
    """Restart a service, or all of them, and wait until they are healthy again."""
    from autobot_ops import frontend
    from autobot_ops.stack.failure import StackFailure
    from autobot_ops.stack.restart import restart_services

    stack = _stack()
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


# ---- images and requirements --------------------------------------------------------------------


@task(
    help={
        "agent": "build this agent's image and what it stands on, no other",
        "no_cache": "build again what exists, and ask the registry for a newer root image",
        "explain": "show what would be built and which file or parent forces it, build nothing",
        "dry_run": "the same as --explain",
        "json": "print one JSON document",
    }
)
@verb
def build(
    context: Context,
    agent: str = "",
    no_cache: bool = False,
    explain: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Build the images whose files have changed."""
    from dataclasses import asdict

    from autobot_ops import frontend
    from autobot_ops.adapters.images import ImageStore
    from autobot_ops.settings import load_settings
    from autobot_ops.stack.build_plan import render_plan
    from autobot_ops.stack.image_graph import SERVICE_TARGETS, targets_for_agent
    from autobot_ops.stack.images import apply_build, observe_build

    settings = load_settings(ROOT, os.environ)
    targets = targets_for_agent(agent) if agent else SERVICE_TARGETS
    with ImageStore() as store:
        plan = observe_build(settings, ROOT, store, targets=targets, no_cache=no_cache)
        if explain or dry_run or context.config.run.dry:
            if json:
                rows = [{**asdict(step), "action": step.action.value} for step in plan.steps]
                frontend.emit_json({"images": rows})
            else:
                frontend.result(render_plan(plan))
            return
        if plan.to_build:
            frontend.say(render_plan(plan))
        with frontend.progress("", ("image", "state", "step")) as progress:
            results = apply_build(
                settings,
                ROOT,
                store,
                plan,
                environ=os.environ,
                watch=lambda event: progress.update(event.target, event.state, event.what),
                say=frontend.say,
            )
    if json:
        frontend.emit_json({"images": [asdict(result) for result in results]})
        return
    frontend.table(
        "",
        ("image", "tag", "size", "cached or why built", "seconds"),
        [
            (
                r.target,
                r.tag,
                f"{r.size_bytes / 1e6:,.0f} MB",
                r.outcome,
                f"{r.seconds:.1f}" if r.seconds else "",
            )
            for r in results
        ],
    )


@task(
    name="compile",
    help={
        "check": "change nothing, fail if a file isn't what its sources give",
        "upgrade": "take the newest versions that fit instead of keeping the present ones",
    },
)
@verb
def requirements_compile(context: Context, check: bool = False, upgrade: bool = False) -> None:
    """Resolve the requirements of all images and of the tools together, with hashes."""
    from autobot_ops import frontend
    from autobot_ops.settings import load_settings
    from autobot_ops.stack.package_index import load_package_index
    from autobot_ops.stack.requirements import check_requirements, compile_requirements, write_requirements

    settings = load_settings(ROOT, os.environ)
    texts = compile_requirements(
        ROOT, load_package_index(os.environ), torch_index=settings.torch_index, upgrade=upgrade
    )
    if check or context.config.run.dry:
        check_requirements(ROOT, texts)
        frontend.say(f"{len(texts)} requirements files are up to date")
        return
    changed = write_requirements(ROOT, texts)
    for path in changed:
        frontend.result(path)
    if not changed:
        frontend.say(f"{len(texts)} requirements files are up to date")


@task(name="init")
@verb
def config_init(context: Context) -> None:
    """Make environment files, secrets and .env, so that plain `docker compose` works too."""
    from autobot_ops import frontend
    from autobot_ops.stack.plan import plan_preparation
    from autobot_ops.stack.prepare import apply_files, observe_files
    from autobot_ops.stack.references import images_to_run

    stack = _stack()
    work = observe_files(stack, stack.environment(images_to_run(stack, os.environ)))
    steps = plan_preparation(
        files=work.causes,
        missing_secrets=work.missing_secrets,
        wrong_access=work.wrong_access,
        users_differ=work.users_differ,
        redis_runs=False,
    )
    apply_files(stack, work)
    frontend.result("\n".join(map(str, steps)) or "everything is there")


config = Collection("config")
config.add_task(config_show)
config.add_task(config_init)

requirements = Collection("requirements")
requirements.add_task(requirements_compile)

namespace = Collection()
namespace.add_collection(config)
namespace.add_collection(requirements)
namespace.add_task(build)
for lifecycle_task in (up, down, status, logs, shell, restart):
    namespace.add_task(lifecycle_task)
