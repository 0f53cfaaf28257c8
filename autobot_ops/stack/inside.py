"""Run a program of a service's image inside its running container, wherever the engine is."""

from __future__ import annotations

from autobot_ops.adapters import process
from autobot_ops.stack.stack import Stack

SECONDS = 30


def run_inside(stack: Stack, service: str, *command: str, input_text: str | None = None) -> str:
    """What it prints. Secrets go through `input_text`: argument lists can be seen.

    Raises ExternalCommandFailed, also when it fails or takes longer than SECONDS.
    """
    compose = stack.compose_for_looking()
    return process.query(
        compose.command("exec", "--no-TTY", service, *command),
        env=compose.environment,
        cwd=compose.root,
        input_text=input_text,
        timeout=SECONDS,
    )
