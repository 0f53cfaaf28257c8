"""The ring of data keys: a new key encrypts from now on, former keys go on decrypting."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.isolation.data_keys import rotate_key_ring
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.rotation.plan import Observed, Stage


@dataclass(frozen=True)
class DataKeyRotation:
    """The new ring is complete on disk before the one in use is written over."""

    service: str
    secret: RotatingSecret

    def observe(self) -> Observed:
        """How far it has come."""
        words = {
            Stage.MAKE: "make a new key, in front of the former ones",
            Stage.SWITCH: "hand the new ring out; agents read it at their next command",
            Stage.RETIRE: "remove the copy of the former ring",
        }
        begin = Stage.MAKE
        if self.secret.is_offered:
            begin = Stage.SWITCH
        elif self.secret.switched_at is not None:
            begin = Stage.RETIRE
        return Observed(self.service, words, begin=begin)

    def apply(self, stage: Stage) -> None:
        """One stage."""
        match stage:
            case Stage.MAKE:
                self.secret.offer(rotate_key_ring(self.secret.current + "\n").strip())
            case Stage.SWITCH:
                self.secret.switch()
            case Stage.RETIRE:
                self.secret.retire()
