"""Keys that the archives of the small stack hold."""

from __future__ import annotations

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.stack.stack import Stack

SESSIONS = 6
KEYS = {b"session:1": b"one", b"session:2": b"two", b"chat:3": b"three"}


def put_sessions(stack: Stack) -> None:
    """Have the database of sessions hold these keys and no other."""
    with dialer(stack, "operator")(SESSIONS) as client:
        client.delete(*client.scan_iter(), "session:none")
        client.mset({key.decode(): value for key, value in KEYS.items()})


def sessions_of(stack: Stack) -> dict[bytes, bytes]:
    """What it holds."""
    with dialer(stack, "operator")(SESSIONS) as client:
        return {key: client.get(key) for key in client.scan_iter()}
