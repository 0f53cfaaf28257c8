"""How a stack is harmed, and how that is taken back: by the engine's own means, on this stack alone."""

from __future__ import annotations

from collections.abc import Callable

from docker.models.containers import Container

from tests.faults.fault import Act
from tests.integration.live import Stack

KILLED = 137
# What init has started is the service itself. From inside, since the engine counts a `docker kill` as
# somebody's wish and doesn't start the container again.
KILL_THE_SERVICE = """
for process in /proc/[0-9]*; do
    grep -qs '^PPid:[[:space:]]1$' "$process/status" && kill -KILL "${process##*/}"
done
true
"""


def kill(service: str) -> Act:
    """SIGKILL for what runs in a service's container."""

    def act(stack: Stack) -> None:
        inside(stack.container(service), "bash", "-c", KILL_THE_SERVICE, codes=(0, KILLED))

    return act


def freeze(service: str) -> Act:
    """Stop every process of a container where it stands; connections stay open, nobody answers."""
    return lambda stack: stack.container(service).pause()


def thaw(service: str) -> Act:
    """Let them go on."""
    return lambda stack: stack.container(service).unpause()


def restart(service: str) -> Act:
    """An orderly end and a new start."""
    return lambda stack: stack.container(service).restart()


def cut_off(service: str, network: str) -> Act:
    """Take a container's leg out of a network."""
    return lambda stack: stack.engine.networks.get(f"{stack.project}_{network}").disconnect(
        stack.container(service)
    )


def join(service: str, network: str) -> Act:
    """Give it back, under the names that Compose gave it."""
    return lambda stack: stack.engine.networks.get(f"{stack.project}_{network}").connect(
        stack.container(service), aliases=[service, f"{stack.project}-{service}"]
    )


def fill(container: Callable[[], Container], folder: str) -> Act:
    """Write a file into a small disk until nothing more fits."""

    def act(_stack: Stack) -> None:
        # head says that there is no space left; that is what was wanted.
        code, output = container().exec_run(["sh", "-c", f"head -c 1G /dev/zero >{folder}/filler"])
        assert code, f"the disk is not full: {output!r}"

    return act


def clear(container: Callable[[], Container], folder: str) -> Act:
    """Take that file away."""
    return lambda _stack: inside(container(), "rm", f"{folder}/filler")


def inside(container: Container, *command: str, codes: tuple[int, ...] = (0,)) -> None:
    """Run a command in a container; it must end with one of these codes."""
    code, output = container.exec_run(list(command))
    assert code in codes, f"{command} ended with {code}: {output!r}"
