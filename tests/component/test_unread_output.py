"""Nobody reads what is written any more, as with `| head`: an end like that of Ctrl-C, never success."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from autobot_ops.frontend import OutputClosed
from tests.conftest import ROOT

SAYING = """
import sys
from autobot_ops import frontend
try:
    frontend.say("a remark")
except frontend.OutputClosed as end:
    sys.exit(end.exit_code)
"""


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe that can be written to; nobody has the other one."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize("arguments", [["config.show"], ["config.show", "--json"], ["history", "--json"]])
def test_a_verb_ends_as_interrupted_and_says_why(unread: int, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, "AUTOBOT_PROJECT": "unread"},
        stdout=unread,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == OutputClosed.exit_code
    error, hint = done.stderr.splitlines()
    assert error == "error: nobody reads the output any more"
    assert hint.startswith("hint: What was done so far is consistent")


def test_remarks_that_nobody_reads_end_it_too(unread: int) -> None:
    done = subprocess.run([sys.executable, "-c", SAYING], cwd=ROOT, stderr=unread, check=False)
    assert done.returncode == OutputClosed.exit_code
