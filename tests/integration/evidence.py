"""What a failure leaves behind in the containers: state, last probe, last lines of the log."""

from __future__ import annotations

from collections.abc import Iterable

from docker.errors import NotFound
from docker.models.containers import Container

LOG_LINES = 15


def evidence(containers: Iterable[Container]) -> list[tuple[str, str]]:
    """Name and evidence of each container that is still there."""
    found = []
    for container in containers:
        try:
            logs = container.logs(tail=LOG_LINES).decode(errors="replace")
        except NotFound:
            continue
        found.append((f"container {container.name}", _render(container, logs)))
    return found


def _render(container: Container, logs: str) -> str:
    state = container.attrs["State"]
    probes = state.get("Health", {}).get("Log") or []
    last_probe = probes[-1]["Output"].strip() if probes else "no probe yet"
    health = state.get("Health", {}).get("Status", "no health check")
    return f"{state['Status']}, {health}, restarts {container.attrs['RestartCount']}\n{last_probe}\n{logs}"
