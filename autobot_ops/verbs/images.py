"""Images and the requirements that go into them."""

from __future__ import annotations

import os

from invoke import Collection, Context

from autobot_ops.command import ROOT, task, verb


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


requirements = Collection("requirements")
requirements.add_task(requirements_compile)
