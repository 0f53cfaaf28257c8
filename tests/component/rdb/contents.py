"""Everything a server says about its keys, to compare two servers without the library under test."""

from __future__ import annotations

from typing import Any

import redis

from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.window import Source
from tests.component.rdb.data_server import DataServer

# When a consumer was seen or active changes by looking, how a stream is stored by loading.
_VOLATILE = {b"seen-time", b"active-time", b"radix-tree-keys", b"radix-tree-nodes", b"inactive", b"idle"}


def contents(server: DataServer, number: int) -> dict[bytes, tuple[Any, ...]]:
    """Key → type, digest of the value, absolute expiry, and all about its groups or its fields' expiries."""
    with server.client(number) as client:
        return {key: _described(client, key) for key in client.scan_iter(count=1000)}


def _described(client: Any, key: bytes) -> tuple[Any, ...]:
    kind = client.type(key)
    digest = client.execute_command("DEBUG", "DIGEST-VALUE", key)
    try:
        expiry = client.execute_command("PEXPIRETIME", key)
    except redis.ResponseError:
        # Before 7.0 only a relative one can be had: of that, whether there is one.
        expiry = client.pttl(key) > 0
    details = None
    if kind == b"stream":
        details = _without_volatile(client.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    elif kind == b"hash":
        details = _field_expiries(client, key)
    return kind, tuple(digest), expiry, repr(details)


def _field_expiries(client: Any, key: bytes) -> dict[bytes, int] | None:
    """Of the fields that have one, in milliseconds; the digest doesn't have them. None where none can be."""
    names = sorted(client.hkeys(key))
    try:
        found = client.execute_command("HPEXPIRETIME", key, "FIELDS", len(names), *names)
    except redis.ResponseError as error:
        if "unknown command" not in str(error).lower():
            raise
        return None
    return {name: at for name, at in zip(names, found, strict=True) if at > 0}


def _without_volatile(found: Any) -> Any:
    if isinstance(found, list) and found and isinstance(found[0], bytes) and len(found) % 2 == 0:
        pairs = zip(found[::2], found[1::2], strict=True)
        return {name: _without_volatile(value) for name, value in pairs if name not in _VOLATILE}
    if isinstance(found, dict):
        return {name: _without_volatile(value) for name, value in found.items() if name not in _VOLATILE}
    return [_without_volatile(each) for each in found] if isinstance(found, list) else found


def fingerprints(source: Source) -> dict[int, Fingerprint]:
    """The fingerprint of each database of a stream or file."""
    reader = Reader(source)
    found: dict[int, Fingerprinter] = {}
    digests = None
    for entry in reader:
        digests = digests or KeyDigests(reader.dialect)
        found.setdefault(entry.database, Fingerprinter(0)).add(digests.of(entry), entry.expires_at)
    return {number: each.fingerprint for number, each in found.items()}


def fingerprints_of(server: DataServer) -> dict[int, Fingerprint]:
    """The fingerprint of each database of a server, from its stream."""
    with server.stream() as stream:
        return fingerprints(stream)
