"""Who runs a process, and which process that is, so that a number that is given again isn't mistaken."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

_START_FIELD = 19
"""Of /proc/PID/stat behind the name: when it began, in ticks since boot (man 5 proc_pid_stat, field 22)."""


def process_identity(process_id: int) -> str:
    """A text that no other process ever has; empty if there is no such process, or no Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    started = fields.rpartition(")")[2].split()[_START_FIELD]
    return f"{process_id}:{started}:{boot}"


def is_running(identity: str) -> bool:
    """Whether the process that has this identity still runs on this machine."""
    number = identity.partition(":")[0]
    return number.isdigit() and process_identity(int(number)) == identity


def user_name(user_id: int) -> str:
    """The name of a user; the number of one without a name."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def owner_of(folder: Path) -> str:
    """Whom a folder belongs to; where it isn't there, who we are."""
    return user_name(folder.stat().st_uid if folder.exists() else os.geteuid())


def user_and_host() -> tuple[str, str]:
    """Who we are, as `alice`, or as `root (sudo by alice)`; and this machine's name."""
    name = user_name(os.geteuid())
    behind = os.environ.get("SUDO_USER", "")
    return (f"{name} (sudo by {behind})" if behind and behind != name else name), socket.gethostname()
