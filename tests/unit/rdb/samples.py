"""One small file with every record and value type that the tables know, for tests of the reader."""

from __future__ import annotations

import struct
from typing import NamedTuple

from autobot_ops.rdb.layout import REDIS, VALKEY, Dialect
from tests import rdb_bytes as b
from tests.unit.rdb import values


class Expected(NamedTuple):
    """What the reader should say of an entry."""

    database: int
    key: bytes
    code: int
    expires_at: int | None
    value: bytes


def stream(version: int, *, group: bool = True) -> bytes:
    """A stream of two entries and, if wanted, a group with one pending entry and its consumer."""
    identity = (1000).to_bytes(8, "big") + (5).to_bytes(8, "big")
    entries = [b"2", b"0", b"1", b"name", b"0"]
    entries += [b"2", b"0", b"0", b"Ann", b"4"]
    entries += [b"0", b"7", b"0", b"1", b"other", b"Bob", b"6"]
    node = b.raw(identity) + b.raw(b.listpack(entries))
    numbers = [2, 1007, 5] + ([1000, 5, 0, 0, 2] if version > 1 else [])
    pending = identity + b.milliseconds(1_700_000_000_000) + b.length(1)
    times = b.milliseconds(1_700_000_000_001) * (2 if version > 2 else 1)
    consumer = b.string(b"worker") + times + b.counted([identity])
    head = [1007, 5] + ([2] if version > 1 else [])
    a_group = (
        b.string(b"readers") + b"".join(map(b.length, head)) + b.counted([pending]) + b.counted([consumer])
    )
    return b.counted([node]) + b"".join(map(b.length, numbers)) + b.counted([a_group] if group else [])


MODULE = (
    b.length(0x1234_5678_9ABC_DEF0)
    + b"\x02" + b.length(7) + b"\x01" + b.length(9) + b"\x03" + bytes(4) + b"\x04" + bytes(8)
    + b"\x05" + b.string(b"text of the module") + b"\x00"
)  # fmt: skip


def serialised(dialect: Dialect) -> dict[int, bytes]:
    """A value of every type of a family of servers."""
    pairs = [(b"name", b"value"), (b"17", b"a value that is longer than others")]
    found: dict[int, bytes] = {
        0: b.lzf(b"abcabcabcabcabc"),
        **values.lists([b"first", b"22", b"third"], b.string, 2),
        **values.sets([b"1", b"2", b"300"], b.string),
        **values.hashes(pairs, b.string),
        **values.sorted_sets([(b"one", 1.5), (b"two", -3.0)], b.string),
        3: b.counted(
            [b.string(b"nan") + b"\xfd", b.string(b"one") + b"\x031.5", b.string(b"less") + b"\xff"]
        ),
        7: MODULE,
        9: b.raw(b"\x01\x01a\x01\x00b\xff"),
        15: stream(1),
        19: stream(2),
        21: stream(3),
    }
    if dialect is VALKEY:
        found[22] = b.counted(
            [b.string(name) + b.string(value) + b.milliseconds(-1) for name, value in pairs]
        )
        return {code: value for code, value in found.items() if code in dialect.types}
    return found


def every_type(dialect: Dialect = REDIS, version: int = 12) -> tuple[bytes, list[Expected]]:
    """A file with two databases, and what should be read from it."""
    header = dialect.magic + (b"%04d" if dialect is REDIS else b"%03d") % version
    by_code = serialised(dialect)
    entries, records = [], []
    for number, code in enumerate(sorted(by_code)):
        expires_at = (None, 1_700_000_000_000 + number, -5)[number % 3]
        key = (b"key:%d" % code, b"%d" % (code * 1000), b"k" * 70)[number % 3] + b"!" * (number % 2)
        prefix = (b"", b"\xf9\x07", b"\xf8" + b.length(70_000))[number // 3 % 3]
        entries.append(Expected(3, key, code, expires_at, by_code[code]))
        records.append(b.entry(key, code, by_code[code], expires_at=expires_at, prefix=prefix))
    seconds = b"\xfd" + struct.pack("<i", 1_700_000_000)
    last = Expected(15, b"old", 0, 1_700_000_000_000, b.string(b"text"))
    data = b.rdb(
        b.auxiliary(b"redis-ver", b"7.0.15"),
        b.auxiliary(b"redis-bits", b"64"),
        b.auxiliary(b"ctime", b"1700000000"),
        b.auxiliary(b"repl-id", b"f" * 40),
        b"\xf7" + MODULE[:9] + b"\x02" + b.length(1) + b"\x05" + b.string(b"before") + b"\x00",
        b"\xf5" + b.lzf(b"#!lua name=mylib\n" + b"redis.register_function('f', f)\n" * 3),
        b.select(3, len(records), 2),
        *records[:5],
        b"\xf4" + b.length(100) + b.length(7) + b.length(70_000),
        *records[5:],
        b.select(15, 1, 1),
        seconds + b.entry(b"old", 0, last.value),
        b"\xf7" + MODULE[:9] + b"\x02" + b.length(2) + b"\x05" + b.string(b"after") + b"\x00",
        header=header,
    )
    return data, [*entries, last]
