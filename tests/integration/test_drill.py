"""Restore drills in containers of the stack's own Redis image."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autobot_ops.backup.drill import LABEL, ContainerDrill, DoesNotLoad
from autobot_ops.rdb.reader import Reader
from autobot_ops.stack.archives import deep_checks
from tests import rdb_bytes
from tests.integration.conftest import Stack

pytestmark = pytest.mark.usefixtures("own_stack")

KEYS = 1000
HOLDER = """
import io, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
from autobot_ops.backup.drill import ContainerDrill
image, project = sys.argv[1:]
with ContainerDrill(image, project, 2**28).reload(io.BytesIO(sys.stdin.buffer.read())) as stream:
    print("loaded", flush=True)
    signal.pause()
"""


@pytest.fixture
def drill(stack: Stack) -> ContainerDrill:
    drill = deep_checks(stack.opened, stack.environment).drill
    assert isinstance(drill, ContainerDrill)
    return drill


def rdb() -> bytes:
    """Keys that have all expired, which a drill has to count all the same."""
    entries = [
        rdb_bytes.entry(b"key:%d" % each, 0, rdb_bytes.string(b"value"), expires_at=946_684_800_000)
        for each in range(KEYS)
    ]
    return rdb_bytes.rdb(rdb_bytes.select(3, KEYS, KEYS), *entries)


def containers(project: str) -> list[str]:
    done = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={project}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.split()


def test_a_container_gives_back_what_it_loaded(drill: ContainerDrill) -> None:
    with drill.reload(io.BytesIO(rdb())) as stream:
        found = [(entry.database, entry.key) for entry in Reader(stream)]
    assert len(set(found)) == KEYS
    assert {number for number, _ in found} == {3}
    assert containers(drill.project) == []


def test_a_container_names_a_file_that_does_not_load(drill: ContainerDrill) -> None:
    with pytest.raises(DoesNotLoad, match="checksum"), drill.reload(io.BytesIO(rdb()[:-1] + b"\x00")):
        pass
    assert containers(drill.project) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_an_ended_drill_leaves_no_container(
    drill: ContainerDrill, root: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, drill.image, drill.project],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as holder:  # fmt: skip
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(rdb())
        holder.stdin.close()
        assert holder.stdout.readline() == b"loaded\n"
        assert containers(drill.project)
        holder.send_signal(number)
        holder.wait(timeout=30)
    deadline = time.monotonic() + 30
    while containers(drill.project):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_container_that_never_started_is_cleared_away(drill: ContainerDrill) -> None:
    label = f"{LABEL}={drill.project}"
    subprocess.run(
        ["docker", "create", "--label", label, drill.image, "true"], check=True, capture_output=True
    )
    assert containers(drill.project)
    with drill.reload(io.BytesIO(rdb())):
        pass
    assert containers(drill.project) == []
