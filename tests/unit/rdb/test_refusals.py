"""What the reader says of a stream that it refuses: what is wrong, and at which byte."""

from __future__ import annotations

from io import BytesIO

import pytest

from autobot_ops.rdb import reader as reader_module
from autobot_ops.rdb.content import LARGE
from autobot_ops.rdb.errors import (
    ChecksumMismatch,
    ChecksumMissing,
    DamagedRdb,
    MalformedRecord,
    NotAnRdb,
    TrailingBytes,
    TruncatedRdb,
    UnknownOpcode,
    UnsupportedRdb,
    UnsupportedVersion,
)
from autobot_ops.rdb.reader import Reader
from tests import rdb_bytes as b

HEADER = b"REDIS0010"
ONE_KEY = b.rdb(b.select(1), b.entry(b"key", 0, b.raw(b"value")))
LONG = b"\x80" + (LARGE + 1).to_bytes(4, "big")


def refusal(data: bytes, chunk: int = 1 << 18) -> DamagedRdb | UnsupportedRdb:
    try:
        list(Reader(BytesIO(data), chunk_bytes=chunk))
    except (DamagedRdb, UnsupportedRdb) as error:
        return error
    raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"REDIS", NotAnRdb, "not even a header (byte 5)"),
        (b"ODIS00100", NotAnRdb, "no rdb begins with b'ODIS00100' (byte 0)"),
        (b.rdb(header=b"000000010"), NotAnRdb, "no rdb begins with b'000000010' (byte 0)"),
        (b.rdb(header=b"REDIS0999"), UnsupportedVersion, "redis rdb version 999 is not supported (byte 0)"),
        (b.rdb(b"\xfa" + b.string(b"name") + LONG), MalformedRecord,
            "an auxiliary field of unusual length (byte 20)"),
        (b.rdb(b.select(1), b"\xf3"), UnknownOpcode, "record 243 (slot import) in redis rdb 10 (byte 14)"),
        (b.rdb(b.select(1), b"\x80"), UnknownOpcode,
            "unknown record or value type 128 in redis rdb 10 (byte 14)"),
        (b.rdb(b"\xf2"), UnknownOpcode, "unknown record or value type 242 in redis rdb 10 (byte 9)"),
        (ONE_KEY[:-3], TruncatedRdb, f"the checksum is cut off (byte {len(ONE_KEY) - 3})"),
        (ONE_KEY + b"x", TrailingBytes, f"more bytes follow the checksum (byte {len(ONE_KEY)})"),
        (ONE_KEY[:-8] + bytes(8), ChecksumMissing, f"the server wrote no checksum (byte {len(ONE_KEY)})"),
        (ONE_KEY[:-8] + b"\x01" + bytes(7), ChecksumMismatch,
            f"the checksum is {int.from_bytes(ONE_KEY[-8:], 'little'):016x} and should be 0000000000000001 "
            f"(byte {len(ONE_KEY)})"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_and_where(data: bytes, kind: type[Exception], message: str) -> None:
    refused = refusal(data)
    assert (type(refused), refused.message) == (kind, message)


@pytest.mark.parametrize(
    "record",
    [
        b.entry(b"key", 0, b.raw(b"value")),
        b.entry(b"key", 0, b.raw(b"value"), expires_at=1),
        b"\xfb\x01\x00",
        b"\xf4\x01\x01\x00",
    ],
    ids=["key", "key that expires", "resize hint", "slot info"],
)
def test_refuses_what_belongs_to_a_database_before_any_was_selected(record: bytes) -> None:
    """No server writes that, and a splitter would have no file for it."""
    field = b.auxiliary(b"redis-ver", b"7.0.15")
    refused = refusal(b.rdb(field, record, b.select(0)))
    place = len(HEADER + field)
    assert (type(refused), refused.message) == (
        MalformedRecord,
        f"record {record[0]} comes before any database was selected (byte {place})",
    )


def test_says_how_a_server_writes_checksums() -> None:
    assert refusal(b.rdb(checksum=False)).hint == (
        "Start the server with `rdbchecksum yes`, its default: damage goes unseen without."
    )


def test_the_longest_key_is_read_and_a_longer_one_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of 100 bytes beyond the buffer in place of 512 MiB."""
    monkeypatch.setattr(reader_module, "LONGEST_STRING", 100)
    # What is in memory when a key turns out to be longer than that: two chunks less what the first one held.
    in_memory = 64 + 64 - len(HEADER + b.select(1))
    longest = in_memory - 3 + 100
    data = [
        b.rdb(b.select(1), b.entry(b"k" * size, 0, b.raw(b"value" * 100))) for size in (longest, longest + 1)
    ]
    assert [len(entry.key) for entry in Reader(BytesIO(data[0]), chunk_bytes=64)] == [longest]
    assert refusal(data[1], 64).message == "a key of 101 bytes (byte 15)"
