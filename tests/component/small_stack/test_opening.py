"""What a person types into: a shell in a container, and redis-cli in one database."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autobot_ops.stack.stack import Stack
from tests.inv_in_process import Inv


@contextmanager
def typing(text: str) -> Iterator[None]:
    """A terminal in place of this process' standard input, at which that was typed already."""
    hands, terminal = pty.openpty()
    before = os.dup(0)
    os.dup2(terminal, 0)
    try:
        os.write(hands, text.encode())
        yield
    finally:
        os.dup2(before, 0)
        for descriptor in (before, hands, terminal):
            os.close(descriptor)


def test_a_shell_is_in_the_container_and_ends_well_however_it_ended(
    stack: Stack, inv: Inv, capfd: pytest.CaptureFixture[str]
) -> None:
    with typing("echo I am $AGENT_NAME; exit 7\n"):
        ended = inv("shell", "knowledge")
    assert ended.exit_code == 0, ended.remarks
    assert "I am knowledge" in capfd.readouterr().out


def test_redis_cli_is_in_the_database_as_the_operator(
    stack: Stack, inv: Inv, capfd: pytest.CaptureFixture[str]
) -> None:
    with typing("CLIENT INFO\nexit\n"):
        ended = inv("database.cli", "sessions")
    assert ended.exit_code == 0, ended.remarks
    shown = capfd.readouterr().out
    assert f" db={stack.catalogs.databases['sessions'].number} " in shown
    assert " user=operator " in shown


def test_a_database_that_there_is_not_is_no_reason_for_another_one(stack: Stack, inv: Inv) -> None:
    refused = inv("database.cli", "session")
    assert refused.exit_code == 2
    assert "Did you mean 'sessions'?" in refused.remarks
