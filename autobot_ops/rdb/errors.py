"""Every way in which a stream or an RDB file can fail, by name.

Two families: what the *content* can have wrong (`DamagedRdb`, `UnsupportedRdb`; offsets are bytes from
the header's first), and what the *connection* can have wrong (`StreamRefused`, `StreamUnavailable`).
"""

from __future__ import annotations

from autobot_ops.errors import ConfigurationError, RefusedForSafety, ServiceUnreachable

WHOLE_INSTANCE = (
    "Nothing was kept. `redis-cli --rdb FILE` of the server's own version saves the whole instance in one "
    "file."
)
READ_AGAIN = "Nothing was kept. Read it again; a file that fails twice is damaged, take another one."


class DamagedRdb(RefusedForSafety):
    """What was read is not what the server wrote; nothing of it may be used."""

    def __init__(self, message: str, *, offset: int, hint: str = READ_AGAIN) -> None:
        super().__init__(f"{message} (byte {offset})", hint=hint)
        self.offset = offset


class NotAnRdb(DamagedRdb):
    """The first nine bytes are no RDB header."""


class TruncatedRdb(DamagedRdb):
    """The bytes end before the end mark and its checksum."""


class TrailingBytes(DamagedRdb):
    """Something follows the checksum."""


class ChecksumMismatch(DamagedRdb):
    """The CRC64 at the end disagrees with the bytes before it."""


class ChecksumMissing(DamagedRdb):
    """The server wrote no checksum (`rdbchecksum no`), so damage could not be seen."""


class MalformedRecord(DamagedRdb):
    """A record that no server writes: a length, an encoding or a packed value that can't be."""


class UnsupportedRdb(RefusedForSafety):
    """The format has something that this library doesn't know; guessing its length is out of the question."""

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(f"{message} (byte {offset})", hint=WHOLE_INSTANCE)
        self.offset = offset


class UnsupportedVersion(UnsupportedRdb):
    """An RDB version outside the supported ones."""


class UnknownOpcode(UnsupportedRdb):
    """A record or value type outside the tables of `layout`."""


class StreamRefused(ConfigurationError):
    """The server won't give this user its stream: wrong credentials or missing rights."""


class StreamUnavailable(ServiceUnreachable):
    """No connection, no answer in time, or a server that can't start a stream now."""


class StreamEndedEarly(StreamUnavailable):
    """The connection ended before the stream did; what arrived is not a backup."""
