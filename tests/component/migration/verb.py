"""`inv` as people run it: a process of its own, with signals, on a pipe or on a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobot_ops.settings import load_settings
from tests.component.rdb.data_server import DataServer
from tests.component.redis_process import REPOSITORY

INV = str(Path(sys.executable).with_name("inv"))
END_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """What a command said, and its exit code."""

    code: int
    output: str
    remarks: str

    @property
    def document(self) -> Mapping[str, Any]:
        """The JSON document on standard output."""
        found: Mapping[str, Any] = json.loads(self.output)
        return found


class Command:
    """A command under way; its output goes into files, so that it can be looked at meanwhile."""

    def __init__(self, folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        folder.mkdir()
        self._output, self._remarks = folder / "output", folder / "remarks"
        with self._output.open("wb") as output, self._remarks.open("wb") as remarks:
            self.process = subprocess.Popen(
                [INV, *arguments], cwd=REPOSITORY, env=dict(environment),
                stdin=subprocess.DEVNULL, stdout=output, stderr=remarks,
            )  # fmt: skip

    @property
    def remarks(self) -> str:
        """What it has said so far."""
        return self._remarks.read_text(encoding="utf-8")

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait; AssertionError where the command ends first, or it takes too long."""
        deadline = time.monotonic() + END_SECONDS
        while not is_so():
            assert self.process.poll() is None, self.remarks
            assert time.monotonic() < deadline, self.remarks
            time.sleep(0.02)

    def until_said(self, text: str) -> None:
        """Wait until it has said that."""
        self.until(lambda: text in self.remarks)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> Ended:
        """Wait for its end."""
        code = self.process.wait(END_SECONDS)
        return Ended(code, self._output.read_text(encoding="utf-8"), self.remarks)

    def stop(self) -> None:
        """End it, if it goes on."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_SECONDS)


class Verbs:
    """Commands of one project, whose state lies in a test's own folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._started: list[Command] = []
        self.environment = {
            **os.environ,
            "AUTOBOT_PROJECT": "verbs",
            "AUTOBOT_STATE_DIR": str(folder),
            # Servers by their URL need no engine; none is to be found.
            "DOCKER_HOST": "unix:///nowhere",
        }

    @property
    def state_dir(self) -> Path:
        """Where the project's journals are."""
        return load_settings(REPOSITORY, self.environment).project_state_dir

    def begin(self, *arguments: str) -> Command:
        """Start a command."""
        command = Command(self._folder / f"command-{len(self._started)}", self.environment, arguments)
        self._started.append(command)
        return command

    def run(self, *arguments: str) -> Ended:
        """Run a command to its end."""
        return self.begin(*arguments).ended()

    def stop(self) -> None:
        """End all that go on."""
        for each in self._started:
            each.stop()


def url_of(server: DataServer) -> str:
    """The address of a test's server."""
    return f"redis://127.0.0.1:{server.port}"
