"""What RESTORE takes: a serialised value as DUMP gives it.

Format: one byte of type, the value as in an RDB, two bytes of RDB version and a CRC64 over all before,
both little-endian (`createDumpPayload` in src/cluster.c). A server takes versions up to its own.
"""

from __future__ import annotations

from autobot_ops.rdb.checksum import crc64
from autobot_ops.rdb.entry import Entry


def restore_payload(entry: Entry, version: int) -> bytes:
    """The payload of an entry read from an RDB of this version; the whole value is held in memory.

    To be given with `RESTORE key expires_at-or-0 payload ABSTTL`; an expiry in the past answers OK and
    stores nothing. Where `entry.value` is None the value is large and better restored in pieces.
    """
    parts = [bytes((entry.code,))]
    entry.write_value(parts.append)
    body = b"".join(parts) + version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")
