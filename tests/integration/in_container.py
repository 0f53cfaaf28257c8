"""What a command in a container says, as text."""

from __future__ import annotations

from docker.models.containers import Container


def output_of(container: Container, *command: str) -> str:
    """Run a command as the container's own user: all that it says."""
    return run_in(container, *command)[1]


def run_in(container: Container, *command: str) -> tuple[int, str]:
    """The same with the exit code in front."""
    done = container.exec_run(list(command))
    assert isinstance(done.output, bytes)
    assert done.exit_code is not None
    return done.exit_code, done.output.decode(errors="replace")
