"""The password of one user of Redis, which accepts several at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.isolation.secrets import new_password
from autobot_ops.rotation.plan import Observed, Stage

LogsIn = Callable[[str, str], bool]
"""Whether Redis lets a user in with a password, tried on a connection of its own."""


class LoginWrong(ServiceUnreachable):
    """Redis refuses the new password, or still accepts the old one."""


@dataclass(frozen=True)
class RedisUserRotation:
    """`load_passwords` gives Redis every password that holds by the files at that time."""

    service: str
    secret: RotatingSecret
    load_passwords: Callable[[], None]
    logs_in: LogsIn

    def observe(self) -> Observed:
        """How far it has come, by its files."""
        words = {
            Stage.MAKE: "make a new password",
            Stage.ADMIT: "let Redis accept the new password beside the old one",
            Stage.SWITCH: "hand the new password out, for connections from now on",
            Stage.VERIFY: "log in with the new password",
            Stage.RETIRE: "let Redis forget the old password, and see it refused",
        }
        switched_at = self.secret.switched_at
        if self.secret.is_offered:
            return Observed(self.service, words, begin=Stage.ADMIT)
        if switched_at is not None:
            return Observed(self.service, words, begin=Stage.VERIFY, switched_at=switched_at)
        return Observed(self.service, words)

    def apply(self, stage: Stage) -> None:
        """One stage; raises LoginWrong if Redis doesn't do as it should."""
        match stage:
            case Stage.MAKE:
                self.secret.offer(new_password())
            case Stage.ADMIT:
                self.load_passwords()
            case Stage.SWITCH:
                self.secret.switch()
            case Stage.VERIFY:
                if not self.logs_in(self.service, self.secret.current):
                    raise LoginWrong(
                        f"redis refuses the new password of {self.service}",
                        hint="inv config.check compares the users of Redis.",
                    )
            case Stage.RETIRE:
                self._retire()

    def _retire(self) -> None:
        previous = self.secret.previous
        self.secret.retire()
        # A crash here leaves Redis with a password that no file has; whatever loads users next ends that.
        self.load_passwords()
        if previous is not None and self.logs_in(self.service, previous):
            raise LoginWrong(
                f"redis still accepts the old password of {self.service}",
                hint="inv config.check compares the users of Redis.",
            )
