"""The end of the small stack: `inv down`, and Redis brought back into an empty volume before the next `up`.

The last file of this folder: behind it there is no stack any more.
"""

from __future__ import annotations

import pytest

from autobot_ops.adapters.containers import project_volumes
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.sessions import KEYS, put_sessions, sessions_of
from tests.component.small_stack.small_project import SERVICES
from tests.inv_in_process import Ended, Inv


def test_a_dry_run_lists_what_would_go_and_removes_nothing(stack: Stack, inv: Inv) -> None:
    lines = inv("down", "--volumes", "--dry-run").output.splitlines()
    project = stack.settings.project
    assert f"remove container {project}-redis" in lines
    assert f"remove network {project}_data" in lines
    assert f"remove volume with its data {project}_redis-data" in lines
    assert not [line for line in inv("down", "--dry-run").output.splitlines() if "volume" in line]
    assert tuple(stack.observe()) != ()


def test_data_go_only_after_a_yes(stack: Stack, inv: Inv) -> None:
    for answer in ("n", "", None):
        refused = inv("down", "--volumes", answer=answer)
        assert refused.exit_code == 5, answer
    assert {state.status for state in stack.observe().values()} == {"running"}
    assert project_volumes(stack.client, stack.settings.project)


def test_a_whole_restore_is_refused_where_keys_are(stack: Stack, taken: Ended, inv: Inv) -> None:
    plan = inv("restore", "--all", "--dry-run", "--json").document
    assert any("stop the agents and redis, which must be empty" in step for step in plan["steps"])
    put_sessions(stack)
    refused = inv("restore", "--all", "--yes")
    assert refused.exit_code == 5
    assert "the server holds keys" in refused.remarks
    assert sessions_of(stack) == KEYS
    assert {state.status for state in stack.observe().values()} == {"running"}


def test_down_removes_all_and_a_whole_restore_starts_redis_with_the_archives(
    stack: Stack, taken: Ended, inv: Inv
) -> None:
    down = inv("down", "--volumes", answer="y")
    assert down.exit_code == 0, down.remarks
    assert f"removed {len(SERVICES)} containers, " in down.remarks
    assert stack.observe() == {}
    assert project_volumes(stack.client, stack.settings.project) == ()

    restored = inv("restore", "--all", "--yes")
    assert restored.exit_code == 0, restored.remarks
    assert "restored 10 databases" in restored.output
    assert sessions_of(stack) == KEYS

    stopped = inv("down")
    assert "the data stay" in stopped.remarks
    assert project_volumes(stack.client, stack.settings.project)
    assert f"nothing of {stack.settings.project} is there" in inv("down").remarks


@pytest.mark.usefixtures("started")
def test_what_needs_a_stack_says_that_there_is_none(stack: Stack, inv: Inv) -> None:
    for arguments in (["database.list"], ["backup", "--all"], ["restore.list"], ["database.check"]):
        refused = inv(*arguments)
        assert refused.exit_code == 4, arguments
        assert "redis of" in refused.remarks
    refused = inv("secrets.rotate", "postgres-knowledge")
    assert refused.exit_code == 4
    assert "postgres of" in refused.remarks
    refused = inv("restart", "all")
    assert refused.exit_code == 4
    assert "isn't there" in refused.remarks
    assert {row["health"] for row in inv("status", "--json").document["services"]} == {"missing"}
