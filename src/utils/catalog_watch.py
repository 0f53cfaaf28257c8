"""Notices when the catalog's files change, and puts a new version in force if it is right.

Files are looked at, not watched through inotify: that doesn't reach into containers from every host,
and a file that is replaced by rename leaves its watch behind. The folder has to be what is mounted.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
DIGEST_DIGITS = 12

FileState = tuple[int, int, int] | None


class CatalogWatch:
    """`digest` is of the version in force; `refusal` says why the one on disk isn't, or is empty."""

    def __init__(self, files: Sequence[Path], adopt: Callable[[], None]) -> None:
        """`adopt` reads the files and puts them in force, or raises and leaves everything as it was."""
        self._files = tuple(files)
        self._adopt = adopt
        self._seen = self._states()
        self._settled = True
        self._judged = self.digest = catalog_digest(self._files)
        self.refusal = ""

    def look(self) -> bool:
        """One look; true when a new version came in force. It takes two to find a change.

        The second one sees that nobody is still writing: a catalog of which half is there may well
        be valid YAML.
        """
        states = self._states()
        if states != self._seen:
            self._seen, self._settled = states, False
            return False
        if self._settled:
            return False
        self._settled = True
        digest = catalog_digest(self._files)
        if digest == self._judged:
            return False
        self._judged = digest
        return self._judge(digest)

    async def watch(self) -> None:
        """Look every second until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def _judge(self, digest: str) -> bool:
        if digest == self.digest:
            self.refusal = ""
            logger.info("the catalog on disk is %s again, which is in force", digest)
            return False
        try:
            self._adopt()
        except Exception as error:  # whatever somebody wrote into the files must not end the watch
            self.refusal = " ".join(str(error).split()) or type(error).__name__
            logger.error("kept catalog %s, refused %s: %s", self.digest, digest, self.refusal)  # noqa: TRY400
            return False
        logger.info("catalog %s is in force, before it was %s", digest, self.digest)
        self.digest, self.refusal = digest, ""
        return True

    def _states(self) -> tuple[FileState, ...]:
        return tuple(_state(path) for path in self._files)


def catalog_digest(files: Sequence[Path]) -> str:
    """What identifies a version of the catalog: its files' exact content; a missing one is empty."""
    digest = hashlib.sha256()
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:DIGEST_DIGITS]


def _state(path: Path) -> FileState:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
