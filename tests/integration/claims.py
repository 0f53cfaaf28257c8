"""What a session has to itself: the checkout, and ports that no other session takes.

Both are the operating system's to give and to take back: a claim ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PORT_OFFSETS = range(10_000, 24_000, 97)
"""Ports above the catalogs' and below 32768, where systems begin to give ports to whoever connects."""


class CheckoutInUse(RuntimeError):
    """Another session runs in this checkout; both would edit its catalogs."""


class NoFreePorts(RuntimeError):
    """Every offset has a port that is taken."""


@dataclass(frozen=True)
class PortClaim:
    """An offset that is ours as long as the guard is open: a port just below those of the agents, bound."""

    offset: int
    guard: socket.socket

    def release(self) -> None:
        """Give it to others."""
        self.guard.close()


def claim_port_offset(ports: Iterable[int], offsets: Iterable[int] = PORT_OFFSETS) -> PortClaim:
    """The first offset that no session has and at which no port is taken. Raises NoFreePorts."""
    wanted = sorted(ports)
    for offset in offsets:
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", wanted[0] - 1 + offset))
            for port in wanted:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            guard.close()
            continue
        return PortClaim(offset, guard)
    raise NoFreePorts("every range of ports that tests use has one that is taken")


@dataclass(frozen=True)
class SessionRecord:
    """The checkout's file that names the stack a session made, locked while that session runs.

    A session that is killed leaves the name behind, and with it the right to remove that stack.
    """

    file: IO[str]

    @classmethod
    def claim(cls, path: Path) -> SessionRecord:
        """Lock the checkout for this session. Raises CheckoutInUse."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise CheckoutInUse("another session with a stack of its own runs in this checkout") from error
        return cls(file)

    @property
    def left_behind(self) -> str | None:
        """The stack of a session that ended without removing it."""
        self.file.seek(0)
        return self.file.read().strip() or None

    def write(self, project: str | None) -> None:
        """Say which stack this session is going to make, or that there is none to be removed any more."""
        self.file.seek(0)
        self.file.truncate()
        self.file.write(project or "")
        self.file.flush()

    def release(self) -> None:
        """Let other sessions in."""
        self.file.close()


def free_project_name(stem: str, is_taken: Callable[[str], bool]) -> str:
    """The stem, or the stem with the first number whose stack doesn't exist yet."""
    name, number = stem, 1
    while is_taken(name):
        number += 1
        name = f"{stem}-{number}"
    return name
