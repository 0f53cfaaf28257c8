"""Findings that are accepted, each by name and with the reason. Pure data.

A waiver covers one finding of one check, word for word, so that it hides nothing that comes later. One
that covers nothing any more is stale, and an error: what isn't needed must not stand open.
docs/security.md has the same table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiver:
    """An accepted finding. `services` are those that it may stand for; none names every service."""

    name: str
    check: str
    finding: str
    services: tuple[str, ...]
    reason: str

    def covers(self, check: str, service: str, finding: str) -> bool:
        """Whether it stands for this finding."""
        its_service = not self.services or service in self.services
        return its_service and (check, finding) == (self.check, self.finding)


WAIVERS: tuple[Waiver, ...] = (
    Waiver(
        name="postgres-peer",
        check="S31",
        finding="the rule 'local all postgres peer'",
        services=("postgres",),
        reason="Only who executes programs in the container as the server's own Linux user gets in by it, "
        "and that user owns the server's files and memory anyway. It lets the tool work without a password "
        "in an argument, a variable or a log. Over the network, and for all other roles, it is TLS and "
        "scram-sha-256.",
    ),
)
