"""AutoBot's front door. Each task loads the settings, calls the library and shows what it returns."""

from __future__ import annotations

import os

from invoke import Collection, Context, task

from autobot_ops.command import ROOT, verb


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


config = Collection("config")
config.add_task(config_show)

namespace = Collection()
namespace.add_collection(config)
