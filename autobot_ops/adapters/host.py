"""What this machine says about itself: who holds a port, how much disk is free.

Only looks; Linux answers who holds a port, other systems only that it is held.
"""

from __future__ import annotations

import ipaddress
import shutil
import socket
from pathlib import Path

LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""


def port_is_free(address: str, port: int) -> bool:
    """Whether a server could listen there. Connections that are only closing don't count as held."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """The process that listens on a port, as `name (pid 12)`; empty where we may not or can't see it."""
    sockets = {f"socket:[{number}]" for number in _listening_inodes(port)}
    if not sockets:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(each.readlink()) in sockets for each in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (pid {process.name})"
        except OSError:
            continue  # another user's process, or one that has just ended
    return ""


def free_bytes(folder: Path) -> int:
    """Free space where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found
