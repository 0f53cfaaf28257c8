"""The journal under what happens to processes and disks: SIGKILL, several writers, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autobot_ops.adapters.process_identity import is_running, process_identity
from autobot_ops.history import read_history
from autobot_ops.journal import open_journal, operation

ROOT = Path(__file__).parents[2]
WRITERS, EACH = 4, 50


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    preface = (
        "import sys\nfrom pathlib import Path\n"
        "from autobot_ops.journal import open_journal, operation\njournal = open_journal(Path(sys.argv[1]))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", preface + text, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_operation_runs_until_then_and_is_unfinished_ever_after(tmp_path: Path) -> None:
    waiting = "with operation(journal, 'backup'):\n    print('inside', flush=True)\n    input()\n"
    process = program(waiting, str(tmp_path))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        path = open_journal(tmp_path).path
        assert read_history(path, is_running=is_running, limit=1).operations[0].outcome == "running"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert read_history(path, is_running=is_running, limit=1).operations[0].outcome == "unfinished"


def test_several_writers_lose_no_line(tmp_path: Path) -> None:
    many = (
        f"for each in range({EACH}):\n"
        "    with operation(journal, sys.argv[2], text='x' * 1500):\n        pass"
    )
    processes = [program(many, str(tmp_path), f"writer-{number}") for number in range(WRITERS)]
    assert [process.wait(timeout=60) for process in processes] == [0] * WRITERS
    for process in processes:
        process.communicate()
    found = read_history(open_journal(tmp_path).path, is_running=is_running, limit=10_000)
    assert found.unreadable_lines == 0
    assert [each.outcome for each in found.operations] == ["done"] * WRITERS * EACH


def test_a_process_of_the_same_number_is_not_the_same(tmp_path: Path) -> None:
    identity = process_identity(os.getpid())
    assert is_running(identity)
    number, started, boot = identity.split(":")
    assert not is_running(f"{number}:{int(started) - 1}:{boot}")
    assert not is_running("")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_no_operation_and_leaves_whole_lines(small_disk: Path) -> None:
    told: list[str] = []
    journal = open_journal(small_disk, told.append)
    while not told:
        with operation(journal, "backup", text="x" * 1500):
            pass
    assert "No space left on device" in told[0]
    assert journal.path.read_bytes().endswith(b"\n")
    assert read_history(journal.path, is_running=is_running, limit=9).unreadable_lines == 0
