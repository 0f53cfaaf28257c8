"""Run a program of a service's image inside its running container, wherever the engine is."""

from __future__ import annotations

from autobot_ops.adapters.runner import Runner
from autobot_ops.stack.stack import Stack

SECONDS = 30


def runner_inside(stack: Stack, service: str) -> Runner:
    """Runs programs in the service's running container."""
    compose = stack.compose_for_looking()
    command = compose.command("exec", "--no-TTY", service)
    return Runner(tuple(command), compose.environment, compose.root)


def run_inside(stack: Stack, service: str, *command: str, input_text: str | None = None) -> str:
    """What it prints. Secrets go through `input_text`: argument lists can be seen.

    Raises ExternalCommandFailed, also when it fails or takes longer than SECONDS.
    """
    return runner_inside(stack, service).query(*command, input_text=input_text, timeout=SECONDS)
