"""How much work may be on its way to a server at once, judged by how soon others are answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass

READ_BYTES = 16 * 1024
"""What a server reads of a connection before it turns to the next one."""

LEAST_BYTES = 4 * 1024
MOST_BYTES = 256 * 1024
SLOW_SECONDS, QUICK_SECONDS = 0.003, 0.0015


@dataclass
class Pace:
    """The window: bytes that may be sent and not yet answered. An `adaptive` one follows others' latency."""

    window_bytes: int = 64 * 1024
    adaptive: bool = True

    @property
    def batch_bytes(self) -> int:
        """How much is sent at once: a part of the window, so that the server never waits for us."""
        return min(READ_BYTES, self.window_bytes // 2)

    def observe(self, seconds: float) -> None:
        """Another connection waited so long for the answer to a PING: halve when slow, grow when quick."""
        if not self.adaptive:
            return
        if seconds > SLOW_SECONDS:
            self.window_bytes = max(LEAST_BYTES, self.window_bytes // 2)
        elif seconds < QUICK_SECONDS:
            self.window_bytes = min(MOST_BYTES, self.window_bytes + LEAST_BYTES)
