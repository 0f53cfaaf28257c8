"""Archive the agents' volumes that can't be rebuilt, as tar.

What is copied must stand still. A paused agent leaves its files as a power cut would, and SQLite is made for
that. Chroma's vectors are several files that it writes one after the other: so the agent is paused in a
moment in which nothing has been written for a while, and where there is none it is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from autobot_ops.adapters.held_container import Hold, held
from autobot_ops.adapters.one_off import VolumeMount, shell_on
from autobot_ops.adapters.process import CommandFailed
from autobot_ops.backup.manifest import RebuiltVolume, VolumeContent
from autobot_ops.catalog import Catalogs
from autobot_ops.errors import ExternalCommandFailed

QUIET_SECONDS = 5
"""Counted from the look at the files, which comes a second after the agent was paused."""
PAUSES = 5
"""Attempts to find a quiet moment before the agent is stopped for the copy."""
PAUSE_BETWEEN_SECONDS = 3.0

# What a restore keeps beside the content is none of it.
OURS = r"\( -path './.restore-*' -o -path './.former-*' \) -prune -o"
_INVENTORY = rf"""
cd "${{1:-.}}"
find . {OURS} -type f -printf '%s\n' | awk '{{ files++; size += $1 }} END {{ printf "%d %d\n", files, size }}'
"""
_LATELY = rf"find . {OURS} -newermt '-{QUIET_SECONDS} seconds' -print -quit"
_TAR = "exec tar --create --numeric-owner --sort=name --exclude='./.restore-*' --exclude='./.former-*' ."


class VolumeNotCopied(ExternalCommandFailed):
    """The copy broke off; what was written of it must not be kept."""


class Writer(Protocol):
    """Where the bytes of a tar file go."""

    def write(self, data: bytes, /) -> object:
        """Take them all."""
        ...


@dataclass(frozen=True)
class ServiceVolume:
    """A service's data volume; `container` is the one to hold while it is copied, None where none runs."""

    service: str
    mount: VolumeMount
    container: str | None


def volumes_of_tier(catalogs: Catalogs, tier: str) -> tuple[list[str], list[RebuiltVolume]]:
    """Services whose volumes the tier archives, and those that are rebuilt. Pure."""
    archived: list[str] = []
    rebuilt: list[RebuiltVolume] = []
    for name, agent in catalogs.agents.items():
        volume = agent.volume
        if volume is None or catalogs.database(volume.database).tier != tier:
            continue
        if volume.rebuilt_from is None:
            archived.append(f"{name}-agent")
        else:
            rebuilt.append(RebuiltVolume(service=f"{name}-agent", rebuilt_from=volume.rebuilt_from))
    return archived, rebuilt


def archive_volume(volume: ServiceVolume, writer: Writer) -> VolumeContent:
    """Write the volume as a tar file; what it holds, for the manifest.

    The agent stands still until the writer has taken everything. Raises VolumeNotCopied; what was written
    must be dropped then.
    """
    try:
        with _standing_still(volume):
            content = inventory(volume)
            with shell_on(volume.mount, read_only=True) as shell:
                for chunk in shell.stream(_TAR):
                    writer.write(chunk)
    except CommandFailed as error:
        raise VolumeNotCopied(
            f"the volume of {volume.service} can't be copied: {error.message}",
            hint=f"Nothing was kept; run it again. inv status {volume.service} says how the agent is.",
        ) from error
    return content


def inventory(volume: ServiceVolume, folder: str = ".") -> VolumeContent:
    """Files and bytes below a folder of the volume. Raises CommandFailed."""
    with shell_on(volume.mount, read_only=True) as shell:
        files, size = shell.query(_INVENTORY, "inventory", folder).split()
    return VolumeContent(service=volume.service, files=int(files), size=int(size))


@contextmanager
def _standing_still(volume: ServiceVolume) -> Iterator[None]:
    if volume.container is None:
        yield
        return
    for _ in range(PAUSES):
        with held(volume.container, Hold.PAUSED):
            if not _written_lately(volume):
                yield
                return
        time.sleep(PAUSE_BETWEEN_SECONDS)
    with held(volume.container, Hold.STOPPED):
        yield


def _written_lately(volume: ServiceVolume) -> bool:
    with shell_on(volume.mount, read_only=True) as shell:
        return bool(shell.query(_LATELY).strip())
