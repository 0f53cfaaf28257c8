"""The schedule for the host's own timer: systemd units, or lines for cron. Pure: returns texts.

A night's run is `inv backup --due`, then `inv backup.prune`, which doesn't run where the backup failed:
while no new archives come, none should go. The restore drill runs by itself once a week, so that what it
finds shows as a failure of its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

from autobot_ops.backup.schedule import RANDOMIZED_DELAY
from autobot_ops.errors import ConfigurationError

NIGHTLY: tuple[tuple[str, ...], ...] = (("backup", "--due", "--yes"), ("backup.prune", "--yes"))
DRILL: tuple[tuple[str, ...], ...] = (("backup.verify", "--deep"),)
AT = time(3, 0)
DRILL_HOURS_LATER = 2
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@+,-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REFUSED_BY_SYSTEMD = re.compile(r"[\"'\\]")
"""In the name of a program, however it is quoted (seen with 252)."""


class UnusablePath(ConfigurationError):
    """A path or value that no unit and no crontab can carry."""


class InvalidTime(ConfigurationError):
    """A time of day that is none."""


@dataclass(frozen=True)
class Timetable:
    """Whose stack it is, where, and when. `at` is local time of the host; paths are absolute.

    `environment`: the AUTOBOT_ variables that make the settings what they are now.
    """

    project: str
    user: str
    folder: Path
    inv: Path
    at: time = AT
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = (self.user, str(self.folder), str(self.inv), *self.environment.values())
        for text in texts:
            _refuse(_CONTROL, text, "Move the project to a folder without control characters in its path.")

    @property
    def drill_at(self) -> time:
        """When the restore drill begins, on Sundays."""
        return self.at.replace(hour=(self.at.hour + DRILL_HOURS_LATER) % 24)


def parse_time(text: str) -> time:
    """`03:00` as a time of day; InvalidTime."""
    try:
        hour, minute = re.fullmatch(r"(\d{1,2}):(\d{2})", text).groups()  # type: ignore[union-attr]
        return time(int(hour), int(minute))
    except (AttributeError, ValueError) as error:
        raise InvalidTime(f"'{text}' is no time of day", hint="Write it like 03:00.") from error


def render_timer(timetable: Timetable) -> dict[str, str]:
    """Unit files by name, for /etc/systemd/system. Raises UnusablePath."""
    _refuse(_REFUSED_BY_SYSTEMD, str(timetable.inv), "Use --cron, or a folder without quotes in its path.")
    backup, drill = f"{timetable.project}-backup", f"{timetable.project}-restore-drill"
    at, drill_at = f"*-*-* {timetable.at:%H:%M}:00", f"Sun *-*-* {timetable.drill_at:%H:%M}:00"
    return {
        f"{backup}.service": _service(timetable, "back up what is due, then prune", NIGHTLY),
        f"{backup}.timer": _timer(timetable, "nightly backup", at),
        f"{drill}.service": _service(timetable, "restore drill", DRILL),
        f"{drill}.timer": _timer(timetable, "weekly restore drill", drill_at),
    }


def render_cron(timetable: Timetable) -> str:
    """Two lines for the user's crontab. Cron doesn't catch up on what the machine slept through."""
    nightly, drill = timetable.at, timetable.drill_at
    return (
        f"{nightly.minute} {nightly.hour} * * * {_shell(timetable, NIGHTLY)}\n"
        f"{drill.minute} {drill.hour} * * 0 {_shell(timetable, DRILL)}\n"
    )


def _service(timetable: Timetable, what: str, commands: Sequence[Sequence[str]]) -> str:
    lines = [
        "[Unit]",
        f"Description=AutoBot ({timetable.project}): {what}",
        "Wants=network-online.target",
        "After=network-online.target docker.service",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={timetable.user}",
        f"WorkingDirectory={_specifiers(str(timetable.folder))}",
        *(
            f"Environment={_quoted(f'{name}={value}')}"
            for name, value in sorted(timetable.environment.items())
        ),
        *(f"ExecStart={_quoted(str(timetable.inv))} {' '.join(command)}" for command in commands),
    ]
    return "\n".join(lines) + "\n"


def _timer(timetable: Timetable, what: str, calendar: str) -> str:
    return f"""\
[Unit]
Description=AutoBot ({timetable.project}): {what}

[Timer]
OnCalendar={calendar}
# Made up for after a time when the machine was off.
Persistent=true
RandomizedDelaySec={int(RANDOMIZED_DELAY.total_seconds())}

[Install]
WantedBy=timers.target
"""


def _shell(timetable: Timetable, commands: Sequence[Sequence[str]]) -> str:
    variables = [f"{name}={value}" for name, value in sorted(timetable.environment.items())]
    prefix = ["env", *variables] if variables else []
    steps = [["cd", str(timetable.folder)]]
    steps += [[*prefix, str(timetable.inv), *command] for command in commands]
    return " && ".join(map(shlex.join, steps)).replace("%", r"\%")  # a bare % is a line end to cron


def _refuse(pattern: re.Pattern[str], text: str, hint: str) -> None:
    if pattern.search(text):
        raise UnusablePath(f"{text!r} can't be written into a schedule", hint=hint)


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word of a unit file (man 5 systemd.service, "Command lines")."""
    text = _specifiers(text)
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
