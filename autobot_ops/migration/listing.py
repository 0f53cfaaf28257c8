"""What `inv migrate.list` shows: runs inside one server, and those that brought keys from another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobot_ops.migration.run_folder import FOLDER, TRANSFERS, RunFolder, all_runs

COLUMNS = ("id", "from", "to", "keys", "state", "ended", "safety archive")
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class RunRow:
    """A run as people see it. `source` is a server and its database; `keys` are the planned ones.

    `archives` are the ids of its safety archives. Moments are ISO 8601; `ended_at` is "" while it can go on.
    """

    id: str
    source: str
    server: str
    keys: int
    state: str
    began_at: str
    ended_at: str
    archives: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table."""
        archives = "\n".join(self.archives) or "none"
        return (
            self.id, self.source, self.server, f"{self.keys:,}", self.state, self.ended_at, archives
        )  # fmt: skip

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def list_runs(state_dir: Path) -> list[RunRow]:
    """All runs, the oldest first."""
    runs = sorted(
        (run for folder in (FOLDER, TRANSFERS) for run in all_runs(state_dir, folder)),
        key=lambda run: run.id,
    )
    return list(map(_row, runs))


def _row(run: RunFolder) -> RunRow:
    state = run.state()
    word = state.outcome or UNFINISHED
    if state.open and state.planned and state.plans:
        done = sum(plan.done for plan in state.plans.values())
        word = f"{UNFINISHED}, {min(100, 100 * done // state.planned)} %"
    return RunRow(
        run.id,
        state.source or f"{state.server}/0",
        state.server,
        state.planned,
        word,
        state.began_at,
        state.ended_at,
        tuple(state.archive_id.split()),
    )
