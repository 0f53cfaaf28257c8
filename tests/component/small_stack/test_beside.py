"""PostgreSQL and a volume brought back under a running agent, which stands still for the exchange alone."""

from __future__ import annotations

import pytest

from autobot_ops.adapters.one_off import shell_on
from autobot_ops.adapters.postgres_session import run_script
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.volumes import data_volume
from tests.component.small_stack.small_project import SERVICE
from tests.inv_in_process import Inv

POSTGRES, VOLUME = "postgres", SERVICE


def is_there(stack: Stack, what: str) -> bool:
    """Whether the mark is there that a test set after the backup."""
    if what == POSTGRES:
        return "mark" in str(run_script(runner_inside(stack, "postgres"), "autobot", LOOK))
    with shell_on(data_volume(stack, SERVICE).mount, read_only=True) as shell:
        return bool(shell.query("ls -A . | grep -x mark || true"))


LOOK = "SELECT tablename FROM pg_tables WHERE tablename = 'mark'"


def set_mark(stack: Stack, what: str) -> None:
    if what == POSTGRES:
        run_script(runner_inside(stack, "postgres"), "autobot", "CREATE TABLE mark (id integer)")
        return
    with shell_on(data_volume(stack, SERVICE).mount, read_only=False) as shell:
        shell.query("echo marked >mark")


@pytest.mark.usefixtures("taken")
def test_postgresql_is_that_of_the_archive_until_the_restore_is_undone(stack: Stack, inv: Inv) -> None:
    set_mark(stack, POSTGRES)
    planned = inv("restore", "--postgres", "--dry-run", "--json").document["plan"]
    assert any("beside what is live" in step for step in planned["steps"])
    restored = inv("restore", "--postgres", "--yes", "--json")
    assert restored.document["restore"]["name"] == POSTGRES, restored.remarks
    assert not is_there(stack, POSTGRES)
    assert [each["name"] for each in inv("restore.list", "--json").document["restores"]] == [POSTGRES]
    second = inv("restore", "--postgres", "--yes")
    assert second.exit_code == 5
    assert "a restore of postgres is still open" in second.remarks
    assert "would put back what postgres held" in inv("--dry", "restore.undo", POSTGRES).output
    undone = inv("restore.undo", POSTGRES, "--yes")
    assert undone.output == "postgres is what it was before its restore\n"
    assert is_there(stack, POSTGRES)
    assert stack.observe()[SERVICE].is_well
    nothing = inv("restore.commit", POSTGRES, "--yes")
    assert nothing.exit_code == 5
    assert "no restore of postgres is open" in nothing.remarks


@pytest.mark.usefixtures("taken")
def test_a_volume_is_that_of_the_archive_until_what_was_there_is_given_up(stack: Stack, inv: Inv) -> None:
    set_mark(stack, VOLUME)
    assert f"load {SERVICE} from" in inv("restore", "--volume", "knowledge", "--dry-run").output
    restored = inv("restore", "--volume", "knowledge", "--yes")
    assert restored.exit_code == 0, restored.remarks
    assert f"inv restore.undo {SERVICE} takes it back" in restored.remarks
    assert not is_there(stack, VOLUME)
    assert SERVICE in inv("restore.list").output
    assert f"would give up what {SERVICE} held" in inv("--dry", "restore.commit", SERVICE).output
    committed = inv("restore.commit", SERVICE, "--yes", "--json")
    assert committed.document["committed"]["name"] == SERVICE
    assert not is_there(stack, VOLUME)
    assert stack.observe()[SERVICE].is_well
