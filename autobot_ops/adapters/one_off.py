"""Programs in one-off containers with one volume: no network, no rights, gone at the end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from autobot_ops.adapters import process
from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner

LABEL = "io.autobot.one-off"
FOLDER = "/volume"
MEMORY = "256m"


@dataclass(frozen=True)
class VolumeMount:
    """A named volume, the image whose programs work on it, and the numeric user that its files belong to."""

    project: str
    volume: str
    image: str
    user: str


@contextmanager
def shell_on(mount: VolumeMount, *, read_only: bool) -> Iterator[Runner]:
    """`sh` with the volume on FOLDER: a runner whose commands are a script and its arguments, for one run.

    An interrupted run ends here, a killed one when its input or output is gone.
    """
    clear_leftovers(mount.project)
    name = f"{mount.project}-one-off-{secrets.token_hex(4)}"
    source = f"type=volume,source={mount.volume},target={FOLDER},volume-nocopy"
    words = (
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", name),
        *("--label", f"{LABEL}={mount.project}", "--log-driver", "none", "--network", "none"),
        *("--read-only", "--user", mount.user, "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "64", "--ulimit", "core=0"),
        *("--memory", MEMORY, "--memory-swap", MEMORY, "--workdir", FOLDER),
        *("--mount", source + (",readonly" if read_only else "")),
        *("--entrypoint", "sh", mount.image, "-c"),
    )
    try:
        yield Runner(words)
    finally:
        with suppress(CommandFailed):
            process.query(("docker", "rm", "--force", name))


def clear_leftovers(project: str, label: str = LABEL) -> list[str]:
    """Remove containers with the label that aren't running (any more); their names."""
    listed = process.query(
        ("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", f"label={label}={project}",
         "--filter", "status=created", "--filter", "status=exited", "--filter", "status=dead")
    )  # fmt: skip
    names = listed.split()
    for name in names:
        with suppress(CommandFailed):
            process.query(("docker", "rm", "--force", "--volumes", name))
    return names
