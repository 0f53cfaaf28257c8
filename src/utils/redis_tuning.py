"""What a database's access patterns change about its connections.

Pure: a table and one function. docs/redis-runtime.md explains the figures and what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_REPLY_TIMEOUT = 5.0
# Seconds that an accepted write may wait for company; elsewhere it goes as soon as the former batch is back.
WRITE_HEAVY_DELAY = 0.02


@dataclass(frozen=True, slots=True)
class AccessTuning:
    """Seconds for one reply, between health checks and for a batch; whether reads are cached."""

    reply_timeout: float = DEFAULT_REPLY_TIMEOUT
    health_check_interval: int = 15
    read_cache: bool = False
    batch_delay: float = 0.0


# Seconds a caller is willing to wait for one reply. "frequent" serves people who wait for a page;
# "long-term" holds embeddings and documents, whose replies are large.
_REPLY_TIMEOUTS = {"frequent": 2.0, "read-heavy": 5.0, "write-heavy": 5.0, "long-term": 10.0}


def tuning_for(access_patterns: Iterable[str]) -> AccessTuning:
    """One tuning for all patterns of a database: the most patient timeout, every helper asked for."""
    patterns = set(access_patterns)
    timeouts = [_REPLY_TIMEOUTS[pattern] for pattern in patterns if pattern in _REPLY_TIMEOUTS]
    return AccessTuning(
        reply_timeout=max(timeouts, default=DEFAULT_REPLY_TIMEOUT),
        # A connection used all the time proves its health by itself; a rare one goes stale unseen.
        health_check_interval=15 if "frequent" in patterns else 30,
        read_cache="read-heavy" in patterns,
        batch_delay=WRITE_HEAVY_DELAY if "write-heavy" in patterns else 0.0,
    )
