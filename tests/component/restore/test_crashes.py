"""The tool dies by SIGKILL at every step of a restore, and of taking it back: nothing is in between."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from autobot_ops.restore import matching
from autobot_ops.restore.ledger import Ledger
from autobot_ops.restore.restoring import apply_restore, list_restores, recover, undo
from autobot_ops.restore.server import RestoreServer
from tests.component.redis_process import RedisProcess
from tests.component.restore.servers import archive_of, prepared
from tests.component.restore.test_restoring import keys_in, staging_keys, write

OLD = {f"session:{n}": "old" for n in range(250)}
NEW = {f"session:{n}": "new" for n in range(100, 350)} | {"chat:1": "new"}
STEPS = 60
"""More than a restore has commands that change something."""


def die_at(call: int) -> None:
    """Make this process end itself at the so-many-th change of the server, counted in transactions."""
    calls = [0]

    def count() -> None:
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            count()
            result = function(*args, **kwargs)
            # The change is done, and its answer is lost.
            count()
            return result

        return wrapped

    Ledger._transaction = counted(Ledger._transaction)  # type: ignore[method-assign]
    Ledger.note_names = counted(Ledger.note_names)  # type: ignore[method-assign]
    matching._transaction = counted(matching._transaction)


def in_child(work: Callable[[], object], call: int) -> bool:
    """Do the work in a process that dies at that change; whether it lived to its end."""

    def run() -> None:
        die_at(call)
        work()
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode == 0


@pytest.mark.parametrize("match", [None, "session:*"], ids=["whole", "match"])
def test_a_killed_restore_leaves_the_live_database_untouched_or_exchanged(
    redis_process: RedisProcess, server: RestoreServer, match: str | None
) -> None:
    write(redis_process, 6, **OLD)
    part = archive_of(server, "sessions")
    with redis_process.operator(6) as client:
        client.flushdb()
    write(redis_process, 6, **NEW)
    after = OLD if match is None else NEW | OLD
    exchanged = untouched = 0
    for call in range(1, STEPS):
        lived = in_child(lambda: apply_restore(server, prepared(server, part, match=match)), call)
        recover(server)
        if list_restores(server):
            exchanged += 1
            assert keys_in(redis_process, 6) == after
            undo(server, "sessions")
        else:
            untouched += 1
        assert keys_in(redis_process, 6) == NEW
        assert staging_keys(redis_process) == {}
        if lived:
            break
    assert lived
    assert untouched >= 3
    assert exchanged >= 2


@pytest.mark.parametrize("match", [None, "session:*"], ids=["whole", "match"])
def test_a_killed_undo_is_finished_or_can_be_repeated(
    redis_process: RedisProcess, server: RestoreServer, match: str | None
) -> None:
    write(redis_process, 6, **OLD)
    part = archive_of(server, "sessions")
    with redis_process.operator(6) as client:
        client.flushdb()
    write(redis_process, 6, **NEW)
    for call in range(1, STEPS):
        apply_restore(server, prepared(server, part, match=match))
        lived = in_child(lambda: undo(server, "sessions"), call)
        recover(server)
        if list_restores(server):
            undo(server, "sessions")
        assert keys_in(redis_process, 6) == NEW
        assert staging_keys(redis_process) == {}
        if lived:
            break
    assert lived
