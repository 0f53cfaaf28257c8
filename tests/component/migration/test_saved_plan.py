"""A plan that `inv migrate --dry-run --plan-file` saved: applied later, refused where it doesn't fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.migration.errors import (
    InvalidPlanFile,
    PlanDoesNotFit,
)
from autobot_ops.verbs.migration_steps import Options
from tests.component.migration.conftest import StartServer
from tests.component.migration.migrating import (
    migrate,
    misplaced,
    placed,
)
from tests.component.rdb.data_server import DataServer


def test_saves_a_plan_and_applies_it_later(server: DataServer, state_dir: Path) -> None:
    before, saved = placed(server), state_dir.parent / "plan"
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    assert server.command("DBSIZE") == 3000
    migrate(server, state_dir, Options(assume_yes=True, plan_file=str(saved)))
    assert placed(server) == before
    assert misplaced(server) == []


def test_refuses_a_plan_of_another_server(start_server: StartServer, state_dir: Path) -> None:
    server, other = start_server(keys=500), start_server()
    other.client().mset({f"session:other:{n}": n for n in range(500)})
    saved = state_dir.parent / "plan"
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    with pytest.raises(PlanDoesNotFit):
        migrate(other, state_dir, Options(assume_yes=True, plan_file=str(saved)))
    assert other.command("DBSIZE") == 500


@pytest.mark.parametrize("damage", [slice(None, 100), slice(None, -1), slice(1, None), slice(0, 0)])
def test_refuses_a_damaged_plan(server: DataServer, state_dir: Path, damage: slice) -> None:
    saved = state_dir.parent / "plan"
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    saved.write_bytes(saved.read_bytes()[damage])
    with pytest.raises(InvalidPlanFile):
        migrate(server, state_dir, Options(assume_yes=True, plan_file=str(saved)))
    assert server.command("DBSIZE") == 3000


def test_refuses_a_plan_with_a_flipped_bit(server: DataServer, state_dir: Path) -> None:
    saved = state_dir.parent / "plan"
    migrate(server, state_dir, Options(dry_run=True, plan_file=str(saved)))
    content = bytearray(saved.read_bytes())
    content[len(content) // 3] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InvalidPlanFile):
        migrate(server, state_dir, Options(assume_yes=True, plan_file=str(saved)))
