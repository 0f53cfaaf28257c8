"""`inv restart`: stop and start containers as they are, in order of dependency, and wait for their health."""

from __future__ import annotations

from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.compose import start_order
from autobot_ops.stack.failure import watched_failure
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.watch import Failure, OnChange, wait_until_well


class NothingRuns(ConfigurationError):
    """There is no container to restart."""


def restart_services(stack: Stack, service: str, *, on_change: OnChange) -> dict[str, float]:
    """Seconds until each restarted service was healthy again; an empty name means all.

    Raises UnknownName, NothingRuns, or StackFailure as `inv up` does.
    """
    before = stack.observe()
    names = [stack.service_name(service, before)] if service else list(before)
    if missing := [name for name in names if name not in before] or (["the stack"] if not names else []):
        raise NothingRuns(f"{missing[0]} was never started", hint="Start it: inv up")
    compose = stack.compose_for_looking()
    services = compose.load_model()
    took: dict[str, float] = {}
    for stage in start_order({name: services[name] for name in names if name in services}):
        for name in stage:
            on_change(name, "restarting", 0)
        compose.query("restart", "--no-deps", "--timeout", str(stack.settings.stop_timeout), *stage)
        try:
            took |= wait_until_well(
                stack.observe, stage, seconds=stack.settings.up_timeout, first=before, on_change=on_change
            )
        except Failure as failure:
            raise watched_failure(stack, failure) from failure
    return took
