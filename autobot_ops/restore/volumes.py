"""Put an archived volume's content in the place of the present one.

Inside the volume, beside the content: `.restore-<id>` is being filled, `.former-<id>` is what was there
before; it stays until `commit` or `undo`. An exchange that a crash broke off is finished by repeating it:
while `.former-<id>.partial` is there, the content is on its way out, then the new one is on its way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from autobot_ops.adapters.held_container import Hold, held
from autobot_ops.adapters.one_off import shell_on
from autobot_ops.adapters.process import CommandFailed
from autobot_ops.backup.manifest import VolumeContent
from autobot_ops.backup.volumes import ServiceVolume, inventory
from autobot_ops.errors import ExternalCommandFailed, RefusedForSafety
from autobot_ops.restore.postgres import DISK_MARGIN, NothingKept

_EXTRACT = """
set -eu
rm -rf ".restore-$1"
mkdir ".restore-$1"
tar --extract --preserve-permissions --no-same-owner --directory=".restore-$1"
sync --file-system .
"""
_AVAILABLE = "df --block-size=1 --output=avail ."
_DROP = 'rm -rf ".$1-$2" ".$1-$2.partial"'
_KEPT = "find . -maxdepth 1 -name '.former-*' -printf '%f\\n'"
# Arguments: id, folder for what is there now, folder that comes in.
_EXCHANGE = r"""
set -eu
outgoing=.$2-$1 incoming=.$3-$1
if ! [ -d "$outgoing" ]; then
    [ -d "$incoming" ]
    mkdir -p "$outgoing.partial"
    find . -mindepth 1 -maxdepth 1 ! -name '.restore-*' ! -name '.former-*' \
        -exec mv -t "$outgoing.partial" {} +
    mv "$outgoing.partial" "$outgoing"
fi
if [ -d "$incoming" ]; then
    find "$incoming" -mindepth 1 -maxdepth 1 -exec mv -t . {} +
    rmdir "$incoming"
fi
sync --file-system .
"""


class VolumeNotRestored(ExternalCommandFailed):
    """The content could not be put into the volume; what was there is untouched or kept beside it."""


class VolumeFull(RefusedForSafety):
    """The content doesn't fit beside what is there."""


class VolumeDiffers(RefusedForSafety):
    """What was extracted isn't what the manifest says; the content was not touched."""


@dataclass(frozen=True)
class VolumeRestore:
    """One restore, by its id, of one service's volume. Every method raises VolumeNotRestored."""

    volume: ServiceVolume
    restore_id: str

    def stage(self, tar: Iterable[bytes], expected: VolumeContent) -> None:
        """Extract a tar file beside the content. Raises VolumeFull, VolumeDiffers.

        After an error, also one of the tar file's own, nothing is left of it. The agent may run.
        """
        available = int(self._run(_AVAILABLE, read_only=True).split()[-1])
        if available < expected.size + DISK_MARGIN:
            raise VolumeFull(
                f"the content of {self.volume.service}'s volume has {expected.size // 1024**2} MiB and "
                f"{available // 1024**2} MiB are free",
                hint="Make room where Docker keeps its volumes; docker system df says what takes it.",
            )
        try:
            with self._named(), shell_on(self.volume.mount, read_only=False) as shell:
                shell.feed(tar, _EXTRACT, "extract", self.restore_id)
            self._compare(expected)
        except BaseException:
            # The next attempt clears what this can't.
            with suppress(VolumeNotRestored):
                self._run(_DROP, "restore", self.restore_id)
            raise

    def exchange(self) -> None:
        """Bring the extracted content in and keep the former. The agent is stopped meanwhile. Repeatable."""
        self._exchange("former", "restore")

    def undo(self) -> None:
        """Take the former content back and drop the restored one. Raises NothingKept."""
        if f".former-{self.restore_id}" not in self._run(_KEPT, read_only=True).split():
            raise NothingKept(
                f"the volume of {self.volume.service} keeps no content of before",
                hint="inv restore.list says what can be undone.",
            )
        self._exchange("restore", "former")
        self._run(_DROP, "restore", self.restore_id)

    def commit(self) -> None:
        """Drop the former content, and the extracted one if it never came in. Idempotent."""
        for kind in ("former", "restore"):
            self._run(_DROP, kind, self.restore_id)

    def _exchange(self, outgoing: str, incoming: str) -> None:
        with self._stopped():
            self._run(_EXCHANGE, self.restore_id, outgoing, incoming)

    def _compare(self, expected: VolumeContent) -> None:
        with self._named():
            found = inventory(self.volume, f".restore-{self.restore_id}")
        if found != expected:
            raise VolumeDiffers(
                f"{found.files} files of {found.size} bytes were extracted instead of {expected.files} of "
                f"{expected.size}",
                hint="The volume's content was not touched. Take another archive: inv backup.list",
            )

    @property
    def kept(self) -> list[str]:
        """Ids of the restores whose former content is in the volume."""
        found = self._run(_KEPT, read_only=True).split()
        return sorted(name.removeprefix(".former-") for name in found if not name.endswith(".partial"))

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        if self.volume.container is None:
            yield
            return
        with self._named(), held(self.volume.container, Hold.STOPPED):
            yield

    def _run(self, script: str, *arguments: str, read_only: bool = False) -> str:
        with self._named(), shell_on(self.volume.mount, read_only=read_only) as shell:
            return shell.query(script, "restore", *arguments)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except CommandFailed as error:
            raise VolumeNotRestored(
                f"the volume of {self.volume.service} can't be restored: {error.message}",
                hint="Run it again; what was there before is kept.",
            ) from error
