"""What the host's timers are told."""

from __future__ import annotations

import shlex
from datetime import time
from pathlib import Path

import pytest

from autobot_ops.backup.timer import (
    InvalidTime,
    Timetable,
    UnusablePath,
    parse_time,
    render_cron,
    render_timer,
)

PLAIN = Timetable("autobot", "alice", Path("/srv/autobot"), Path("/srv/autobot/.venv/bin/inv"))
ODD = Timetable(
    "second",
    "alice",
    Path("/srv/a b 50%"),
    Path("/srv/a b 50%/.venv/bin/inv"),
    at=time(23, 30),
    environment={"AUTOBOT_PROJECT": "second", "AUTOBOT_BACKUP_DIR": "/mnt/my backups"},
)


def test_the_service_backs_up_and_then_prunes_as_the_right_user_in_the_right_folder() -> None:
    assert render_timer(PLAIN)["autobot-backup.service"] == (
        "[Unit]\n"
        "Description=AutoBot (autobot): back up what is due, then prune\n"
        "Wants=network-online.target\n"
        "After=network-online.target docker.service\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        "User=alice\n"
        "WorkingDirectory=/srv/autobot\n"
        "ExecStart=/srv/autobot/.venv/bin/inv backup --due --yes\n"
        "ExecStart=/srv/autobot/.venv/bin/inv backup.prune --yes\n"
    )


def test_the_timer_makes_up_for_downtime() -> None:
    text = render_timer(PLAIN)["autobot-backup.timer"]
    assert "OnCalendar=*-*-* 03:00:00\n" in text
    assert "Persistent=true\n" in text
    assert "RandomizedDelaySec=900\n" in text
    assert text.endswith("[Install]\nWantedBy=timers.target\n")


def test_the_restore_drill_has_a_timer_of_its_own() -> None:
    units = render_timer(PLAIN)
    assert list(units) == [
        "autobot-backup.service",
        "autobot-backup.timer",
        "autobot-restore-drill.service",
        "autobot-restore-drill.timer",
    ]
    assert "OnCalendar=Sun *-*-* 05:00:00\n" in units["autobot-restore-drill.timer"]
    assert "inv backup.verify --deep\n" in units["autobot-restore-drill.service"]


def test_blanks_and_percent_signs_of_a_path_survive_systemd() -> None:
    text = render_timer(ODD)["second-backup.service"]
    assert "WorkingDirectory=/srv/a b 50%%\n" in text
    assert 'ExecStart="/srv/a b 50%%/.venv/bin/inv" backup --due --yes' in text
    assert 'Environment="AUTOBOT_BACKUP_DIR=/mnt/my backups"\nEnvironment=AUTOBOT_PROJECT=second\n' in text


def test_the_cron_lines_read_like_this() -> None:
    assert render_cron(PLAIN) == (
        "0 3 * * * cd /srv/autobot && /srv/autobot/.venv/bin/inv backup --due --yes"
        " && /srv/autobot/.venv/bin/inv backup.prune --yes\n"
        "0 5 * * 0 cd /srv/autobot && /srv/autobot/.venv/bin/inv backup.verify --deep\n"
    )


def test_blanks_quotes_and_percent_signs_of_a_path_survive_cron_and_its_shell() -> None:
    nightly, drill = render_cron(ODD).splitlines()
    assert nightly.startswith("30 23 * * * ")
    assert drill.startswith("30 1 * * 0 ")
    command = drill.split(" ", 5)[5]
    assert "%" not in command.replace(r"\%", "")
    assert shlex.split(command.replace(r"\%", "%")) == [
        *("cd", str(ODD.folder), "&&", "env", "AUTOBOT_BACKUP_DIR=/mnt/my backups"),
        *("AUTOBOT_PROJECT=second", str(ODD.inv), "backup.verify", "--deep"),
    ]


def test_refuses_a_path_that_would_be_a_line_of_its_own() -> None:
    with pytest.raises(UnusablePath):
        Timetable("autobot", "alice", Path("/srv/a\nUser=root"), Path("/srv/inv"))


@pytest.mark.parametrize("odd", ['quo"te', "quo'te", "back\\slash"])
def test_refuses_for_systemd_alone_what_only_systemd_refuses(odd: str) -> None:
    folder = Path("/srv") / odd
    timetable = Timetable("autobot", "alice", folder, folder / "inv")
    with pytest.raises(UnusablePath):
        render_timer(timetable)
    assert shlex.quote(str(folder)) in render_cron(timetable)


@pytest.mark.parametrize("text", ["", "3", "24:00", "03:60", "3 am", "03:00:00"])
def test_refuses_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_time(text)
    assert parse_time("3:05") == time(3, 5)
