"""How much work may be on its way to a server at once, judged by how soon others are answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_BYTES = 16 * 1024
"""What a server reads of a connection at a time."""

MOST_BYTES = 256 * 1024
SLOW_SECONDS, QUICK_SECONDS = 0.003, 0.0015


@dataclass
class Pace:
    """The window: bytes that may be sent and not yet answered. An `adaptive` one follows others' latency."""

    window_bytes: int = 64 * 1024
    adaptive: bool = True

    def observe(self, seconds: float) -> None:
        """Another connection waited so long for the answer to a PING: halve when slow, grow when quick."""
        if not self.adaptive:
            return
        if seconds > SLOW_SECONDS:
            self.window_bytes = max(LEAST_BYTES, self.window_bytes // 2)
        elif seconds < QUICK_SECONDS:
            self.window_bytes = min(MOST_BYTES, self.window_bytes + LEAST_BYTES)
