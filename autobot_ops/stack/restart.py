"""`inv restart`: stop and start containers as they are, in order of dependency, and wait for their health."""

from __future__ import annotations

from autobot_ops.stack.compose import start_order
from autobot_ops.stack.failure import watched_failure
from autobot_ops.stack.stack import NotRunning, Stack
from autobot_ops.stack.watch import Failure, OnChange, wait_until_well


def restart_services(stack: Stack, service: str, *, on_change: OnChange) -> dict[str, float]:
    """Seconds until each restarted service was healthy again.

    Raises UnknownName, NotRunning, or StackFailure as `inv up` does.
    """
    before = stack.observe()
    names = stack.services_meant(service)
    if missing := [name for name in names if name not in before]:
        raise NotRunning(f"{missing[0]} isn't there", hint="Start it: inv up")
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
