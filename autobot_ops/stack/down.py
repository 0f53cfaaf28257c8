"""`inv down`: stop and remove what belongs to the project; its data only when that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.adapters import containers
from autobot_ops.stack.stack import Stack


@dataclass(frozen=True)
class DownPlan:
    """What goes: names of containers and networks, and of volumes if data go too."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What goes, counted."""
        volumes = f", {len(self.volumes)} volumes with their data" if self.volumes else "; the data stay"
        return f"{len(self.containers)} containers{volumes}"

    @property
    def lines(self) -> list[str]:
        """The plan as text."""
        kinds = (
            ("container", self.containers),
            ("network", self.networks),
            ("volume with its data", self.volumes),
        )
        return [f"remove {kind} {name}" for kind, names in kinds for name in names]


def plan_down(stack: Stack, *, volumes: bool) -> DownPlan:
    """What `down` would remove now; changes nothing."""
    project = stack.settings.project
    return DownPlan(
        containers=tuple(sorted(state.name for state in stack.observe().values())),
        networks=containers.project_networks(stack.client, project),
        volumes=containers.project_volumes(stack.client, project) if volumes else (),
    )


def apply_down(stack: Stack, plan: DownPlan) -> None:
    """Stop gracefully, then remove. Secrets and environment files stay: they belong to the data."""
    stack.compose_for_looking().query(
        "down", "--timeout", str(stack.settings.stop_timeout), *(["--volumes"] if plan.volumes else [])
    )
