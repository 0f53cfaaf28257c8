"""Unit tests need nothing: no process, no socket, no environment of the machine they run on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import settings

# For `nox -s mutation`, which runs tests some thousand times: the same few examples every time.
settings.register_profile("mutation", max_examples=25, derandomize=True, deadline=None)


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that starts a process or opens a connection is in the wrong folder."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a unit test must not start processes or open connections")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(os, "system", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in list(os.environ):
        if name.startswith(("AUTOBOT_", "REDIS_", "POSTGRES_")):
            monkeypatch.delenv(name)


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time is nine hours ahead of UTC."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
