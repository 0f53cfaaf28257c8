"""A secret file while it is rotated, with the two beside it that say how far the rotation has come.

`NAME.next` is the value that is coming; `NAME.previous` is the one that still holds. They are made
complete or not at all, and gone when the rotation is over. So whatever interrupts it, the next run
finds both values and goes on. No container gets these two files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autobot_ops.isolation import secrets

NEXT = ".next"
PREVIOUS = ".previous"


@dataclass(frozen=True)
class RotatingSecret:
    """The files of one secret. What it reads raises SecretUnreadable."""

    folder: Path
    name: str

    @property
    def current(self) -> str:
        """What containers see."""
        return secrets.read_secret(self.folder, self.name)

    @property
    def next(self) -> str | None:
        """What is coming, None while nothing is."""
        return self._read_beside(NEXT)

    @property
    def previous(self) -> str | None:
        """What held before, None when it holds no more."""
        return self._read_beside(PREVIOUS)

    @property
    def valid(self) -> tuple[str, ...]:
        """All that a server must accept now, each once: the current one first."""
        values = (self.current, self.next, self.previous)
        return tuple(dict.fromkeys(value for value in values if value is not None))

    @property
    def is_offered(self) -> bool:
        """Whether a new value waits for being switched to."""
        return self.next not in (None, self.current)

    @property
    def switched_at(self) -> float | None:
        """Since when the previous value is out of use, as Unix time; None if there is none."""
        path = self.folder / f"{self.name}{PREVIOUS}"
        return path.stat().st_mtime if path.exists() and not self.is_offered else None

    def offer(self, value: str) -> None:
        """Keep a new value beside the current one; one that is offered already stays."""
        secrets.make_once(self._beside(NEXT), value)

    def switch(self) -> None:
        """Make the offered value the current one, in place, so that containers see it at once.

        A crash leaves the offer and perhaps a previous value equal to the current one: switch again.
        """
        offered = self.next
        if offered is not None and offered != self.current:
            # Of an earlier attempt: its time says when that began, not when this one switches.
            self._beside(PREVIOUS).unlink(missing_ok=True)
            secrets.make_once(self._beside(PREVIOUS), self.current)
            secrets.write_derived(self.folder, self.name, offered)
        self._beside(NEXT).unlink(missing_ok=True)

    def retire(self) -> None:
        """Forget the previous value."""
        self._beside(PREVIOUS).unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"

    def _read_beside(self, ending: str) -> str | None:
        path = self._beside(ending)
        return secrets.read_secret(self.folder, path.name) if path.exists() else None


def being_rotated(folder: Path) -> tuple[str, ...]:
    """Secrets whose rotation runs or was interrupted."""
    if not folder.is_dir():
        return ()
    names = (path.name for path in folder.iterdir() if path.name.endswith((NEXT, PREVIOUS)))
    return tuple(sorted({name.removesuffix(NEXT).removesuffix(PREVIOUS) for name in names}))
