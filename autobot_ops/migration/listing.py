"""What `inv migrate.list` shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobot_ops.migration.run_folder import RunFolder, all_runs

COLUMNS = ("id", "server", "keys", "state", "safety archive")
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class RunRow:
    """A run as people see it."""

    id: str
    server: str
    keys: int
    state: str
    archive: str

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table."""
        return (self.id, self.server, f"{self.keys:,}", self.state, self.archive or "none")

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return vars(self)


def list_runs(state_dir: Path) -> list[RunRow]:
    """All runs, the oldest first."""
    return [_row(run) for run in all_runs(state_dir)]


def _row(run: RunFolder) -> RunRow:
    state = run.state()
    word = state.outcome or UNFINISHED
    if not state.outcome and state.planned:
        done = sum(plan.done for plan in state.plans.values())
        word = f"{UNFINISHED}, {min(100, 100 * done // state.planned)} %"
    return RunRow(run.id, state.server, state.planned, word, state.archive_id)
