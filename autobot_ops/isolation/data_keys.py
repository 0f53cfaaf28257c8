"""The ring of data keys: made once, rotated by putting a new key in front. Pure but for its randomness.

The file holds one key a line, `id:base64 of 32 bytes`, the newest first. The id is the beginning of
the key's SHA-256: a reader refuses a line that was cut or half written. src/utils/key_ring.py is the
reader; tests compare the two.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

DATA_KEYS_SECRET = "redis_data_keys"  # noqa: S105 - the file's name
"""Name of the secret; agents with an encrypted database see it as /run/secrets/data_keys."""

KEY_BYTES = 32
ID_DIGITS = 12


def new_key_ring_line(key: bytes | None = None) -> str:
    """One line with a new random key (or a given one, of 32 bytes); without a line end."""
    key = secrets.token_bytes(KEY_BYTES) if key is None else key
    if len(key) != KEY_BYTES:
        raise ValueError(f"a data key has {KEY_BYTES} bytes")
    return f"{hashlib.sha256(key).hexdigest()[:ID_DIGITS]}:{base64.b64encode(key).decode('ascii')}"


def new_key_ring() -> str:
    """The text of a ring with one key."""
    return new_key_ring_line() + "\n"


def rotate_key_ring(text: str) -> str:
    """The ring with a new key in front. No former key goes: values that it sealed stay readable."""
    return new_key_ring() + text
