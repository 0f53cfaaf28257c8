"""What each database holds right now, beside what the catalog says of it."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.catalog import Catalogs
from autobot_ops.isolation.observation import ServerState, estimate_memory
from autobot_ops.ports import Dialer


@dataclass(frozen=True)
class DatabaseRow:
    """One database. `memory_bytes` is an estimate from a sample; `alerts` names the limits exceeded."""

    name: str
    number: int
    keys: int
    expiring: int
    memory_bytes: int
    connections: int
    tier: str
    security_level: str
    alerts: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        memory = f"≈ {self.memory_bytes / 1024:,.0f} KiB" if self.keys else ""
        figures = (self.name, self.number, f"{self.keys:,}", f"{self.expiring:,}", memory, self.connections)
        return (*map(str, figures), self.tier, self.security_level, ", ".join(self.alerts))


COLUMNS = ("database", "number", "keys", "with TTL", "memory", "connections", "tier", "security", "alerts")


def list_databases(dial: Dialer, state: ServerState, catalogs: Catalogs) -> list[DatabaseRow]:
    """Every database of the catalog, by number."""
    rows = []
    for name, database in sorted(catalogs.databases.items(), key=lambda item: item[1].number):
        figures = state.keyspace.get(database.number)
        keys = figures.keys if figures else 0
        connections = state.connections.get(database.number, 0)
        alerts = [
            what
            for what, exceeded in (
                ("keys", keys > database.alerts.keys),
                ("connections", connections > database.alerts.connections),
                ("memory", state.memory_percent > database.alerts.memory_percent),
            )
            if exceeded
        ]
        rows.append(
            DatabaseRow(
                name=name,
                number=database.number,
                keys=keys,
                expiring=figures.expiring if figures else 0,
                memory_bytes=estimate_memory(dial, database.number, keys) if keys else 0,
                connections=connections,
                tier=database.tier,
                security_level=database.security_level,
                alerts=tuple(alerts),
            )
        )
    return rows
