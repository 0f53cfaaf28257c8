"""The password of one role of PostgreSQL, which knows one at a time.

Agents that are connected stay so. New connections succeed in between as well: the agents' login tries
the password that worked last beside the one in the file (src/agents/postgres_login.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.isolation.secrets import new_password
from autobot_ops.rotation.plan import Observed, Stage


@dataclass(frozen=True)
class PostgresRoleRotation:
    """`apply_roles` gives every role the password of its file, `check_role` logs in as this one.

    Both raise ServiceUnreachable or ExternalCommandFailed.
    """

    service: str
    secret: RotatingSecret
    apply_roles: Callable[[], None]
    check_role: Callable[[], None]

    def observe(self) -> Observed:
        """How far it has come. With a previous value left, the server may have the old one still."""
        words = {
            Stage.MAKE: "make a new password",
            Stage.SWITCH: "hand the new password out and give it to PostgreSQL",
            Stage.VERIFY: "log in with the new password",
            Stage.RETIRE: "forget the old password",
        }
        begun = self.secret.is_offered or self.secret.switched_at is not None
        return Observed(self.service, words, begin=Stage.SWITCH if begun else Stage.MAKE)

    def apply(self, stage: Stage) -> None:
        """One stage."""
        match stage:
            case Stage.MAKE:
                self.secret.offer(new_password())
            case Stage.SWITCH:
                self.secret.switch()
                self.apply_roles()
            case Stage.VERIFY:
                self.check_role()
            case Stage.RETIRE:
                self.secret.retire()
