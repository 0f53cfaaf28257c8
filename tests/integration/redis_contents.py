"""All that the stack's Redis holds at one moment, key by key, so that two moments can be compared exactly."""

from __future__ import annotations

import time
from dataclasses import dataclass

from autobot_ops.adapters.redis_server import replication_endpoint
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream import ReplicationStream
from tests.integration.live import Stack

SOON_SECONDS = 600


@dataclass(frozen=True)
class Held:
    """One key: a digest of its type, value and absolute expiry, and that expiry in milliseconds."""

    digest: int
    expires_at: int | None


Contents = dict[int, dict[bytes, Held]]
"""By database number, by key."""


def read_contents(stack: Stack) -> Contents:
    """From the replication stream: one point in time, every database, nothing left out."""
    found: Contents = {}
    with ReplicationStream(replication_endpoint(stack.opened)) as stream:
        reader = Reader(stream)
        digests = None
        for entry in reader:
            digests = digests or KeyDigests(reader.dialect)
            key, expires_at = bytes(entry.key), entry.expires_at
            found.setdefault(entry.database, {})[key] = Held(digests.of(entry), expires_at)
    return found


def lasting(contents: Contents) -> Contents:
    """Without what expires so soon that a test could see it go."""
    soon = (time.time() + SOON_SECONDS) * 1000
    return {
        number: {key: held for key, held in keys.items() if held.expires_at is None or held.expires_at > soon}
        for number, keys in contents.items()
    }


def assert_same(before: Contents, after: Contents) -> None:
    """Every key of every database is as it was, and there is no other; what expires soon may be gone."""
    remaining = lasting(before)
    for number in before.keys() | after.keys():
        there, here = before.get(number, {}), after.get(number, {})
        assert here.keys() <= there.keys(), f"database {number} has new keys"
        for key, held in remaining.get(number, {}).items():
            assert here.get(key) == held, f"{key!r} of database {number} is another one"


def of_keys(contents: Contents, keys: set[bytes]) -> dict[bytes, Held]:
    """Those keys wherever they are; AssertionError where one is in two databases."""
    found: dict[bytes, Held] = {}
    for held in contents.values():
        here = {key: held[key] for key in keys & held.keys()}
        assert not found.keys() & here.keys(), "a key is in two databases"
        found |= here
    return found
