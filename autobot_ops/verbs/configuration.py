"""The configuration: show it, check it, make what is derived from it."""

from __future__ import annotations

import os
from dataclasses import asdict

from invoke import Collection, Context

from autobot_ops.command import ROOT, current_stack, task, verb


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


@task(name="init")
@verb
def config_init(context: Context) -> None:
    """Make environment files, secrets and .env, so that plain `docker compose` works too."""
    from autobot_ops import frontend
    from autobot_ops.stack.plan import plan_preparation
    from autobot_ops.stack.prepare import apply_files, observe_files
    from autobot_ops.stack.references import images_to_run

    stack = current_stack()
    work = observe_files(stack, stack.environment(images_to_run(stack, os.environ)))
    steps = plan_preparation(
        files=work.causes,
        missing_secrets=work.missing_secrets,
        wrong_access=work.wrong_access,
        users_differ=work.users_differ,
        certificates=work.certificates,
        running=(),
    )
    apply_files(stack, work)
    frontend.result("\n".join(map(str, steps)) or "everything is there")


@task(name="check", help={"json": "print one JSON document"})
@verb
def config_check(context: Context, json: bool = False) -> None:
    """Validate the configuration and compare everything derived with its source."""
    from autobot_ops import frontend
    from autobot_ops.stack.drift import compare_derived
    from autobot_ops.validation import InvalidConfiguration

    stack = current_stack()
    comparisons = compare_derived(stack)
    problems = [problem for comparison in comparisons for problem in comparison.problems]
    if json:
        frontend.emit_json({"comparisons": [asdict(comparison) for comparison in comparisons]})
    else:
        rows = [(each.derived, each.source, each.verdict) for each in comparisons]
        frontend.table("", ("derived", "from", "state"), rows)
        for problem in problems:
            frontend.result(f"{problem}\n  {problem.fix}")
    if problems:
        raise InvalidConfiguration(problems)


config = Collection("config")
for config_task in (config_show, config_check, config_init):
    config.add_task(config_task)
