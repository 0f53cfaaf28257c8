"""`inv status`: one row per service, also for those that aren't there. Looks only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autobot_ops.stack.diagnosis import failed_checks
from autobot_ops.stack.health import ContainerState

MISSING = "missing"


@dataclass(frozen=True)
class StatusRow:
    """One service. `up_seconds` is None unless it runs; `remark` says what is wrong."""

    service: str
    health: str
    url: str
    image: str
    up_seconds: int | None
    restarts: int
    remark: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        up = "" if self.up_seconds is None else str(timedelta(seconds=self.up_seconds))
        return (self.service, self.health, self.url, self.image, up, str(self.restarts), self.remark)


def status_rows(names: Sequence[str], states: Mapping[str, ContainerState], now: datetime) -> list[StatusRow]:
    """Rows for the named services, then for others that the project has. Pure."""
    return [_row(name, states.get(name), now) for name in dict.fromkeys((*names, *sorted(states)))]


def _row(name: str, state: ContainerState | None, now: datetime) -> StatusRow:
    if state is None:
        return StatusRow(name, MISSING, "", "", None, 0, "inv up starts it")
    running = state.status == "running"
    return StatusRow(
        service=name,
        health=state.word,
        url=state.url,
        image=state.image,
        up_seconds=round((now - state.started).total_seconds()) if running and state.started else None,
        restarts=state.restarts,
        remark=_remark(state),
    )


def _remark(state: ContainerState) -> str:
    if state.error:
        return state.error.splitlines()[0]
    if state.status == "created":
        return "never started"
    if state.status != "running":
        return "out of memory" if state.out_of_memory else f"exit code {state.exit_code}"
    if state.health == "unhealthy" and state.last_probe:
        return failed_checks(state.last_probe.output)
    return ""
