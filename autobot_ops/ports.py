"""What verbs need from the outside, as types: adapters provide it, tests provide the real thing elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import redis

Dialer = Callable[[int], redis.Redis]
"""Opens a connection to one database by number. Replies are raw bytes for keys and values."""
