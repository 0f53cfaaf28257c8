"""The RDB format as data: which versions, record opcodes and value types exist and how each is laid out.

A layout is a tuple of parts, read one after the other:

- `STRING`: a length-prefixed, integer-encoded or LZF-compressed string;
- `LENGTH`: a length-encoded number;
- `DOUBLE_TEXT`: the sorted-set score of old (one byte of length, or 253–255 for nan, inf, -inf);
- `MODULE`: a module's opcodes up to its end mark;
- a positive number: that many bytes as they are;
- a tuple: a LENGTH n, then n times the tuple's parts.

Sources: src/rdb.h, src/rdb.c and src/cluster_migrateslots.c of Redis 5.0 to 8.0.6 and Valkey 7.2 to 9.1.2;
docs/formats/rdb.md has the same tables in words, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

STRING: Final = 0
LENGTH: Final = -1
DOUBLE_TEXT: Final = -2
MODULE: Final = -3

Part: TypeAlias = "int | tuple[Part, ...]"
Layout: TypeAlias = tuple[Part, ...]
Kind: TypeAlias = Literal["string", "list", "set", "zset", "hash", "stream", "module"]

ONE_STRING: Final[Layout] = (STRING,)

# Records that are no entries.
SLOT_IMPORT: Final = 0xF3
SLOT_INFO: Final = 0xF4
FUNCTION: Final = 0xF5
FUNCTION_BEFORE_RELEASE: Final = 0xF6
MODULE_AUXILIARY: Final = 0xF7
IDLE: Final = 0xF8
FREQUENCY: Final = 0xF9
AUXILIARY: Final = 0xFA
RESIZE: Final = 0xFB
EXPIRES_MILLISECONDS: Final = 0xFC
EXPIRES_SECONDS: Final = 0xFD
SELECT: Final = 0xFE
END: Final = 0xFF

FIRST_OPCODE: Final = SLOT_IMPORT

OPCODE_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        SLOT_IMPORT: "slot import",
        SLOT_INFO: "slot info",
        FUNCTION: "function library",
        FUNCTION_BEFORE_RELEASE: "function of a 7.0 release candidate",
        MODULE_AUXILIARY: "module auxiliary data",
        IDLE: "idle time",
        FREQUENCY: "access frequency",
        AUXILIARY: "auxiliary field",
        RESIZE: "resize hint",
        EXPIRES_MILLISECONDS: "expiry in milliseconds",
        EXPIRES_SECONDS: "expiry in seconds",
        SELECT: "select database",
        END: "end",
    }
)

# Hash forms whose name says little: *ttl* ones carry an expiry per field, relative to a minimum that
# stands in front; the release candidates of 7.4 had it absolute and without that minimum.
_STREAM_GROUP_V1: Final[Layout] = (STRING, LENGTH, LENGTH, (16, 8, LENGTH), (STRING, 8, (16,)))
_STREAM_GROUP_V2: Final[Layout] = (STRING, LENGTH, LENGTH, LENGTH, (16, 8, LENGTH), (STRING, 8, (16,)))
_STREAM_GROUP_V3: Final[Layout] = (STRING, LENGTH, LENGTH, LENGTH, (16, 8, LENGTH), (STRING, 8, 8, (16,)))
_NODES: Final[Layout] = (STRING, STRING)


@dataclass(frozen=True)
class ValueType:
    """One value type: its code in the file, what it is to a user, how it is stored, and its layout."""

    code: int
    kind: Kind
    name: str
    layout: Layout


_COMMON: Final = (
    ValueType(0, "string", "string", ONE_STRING),
    ValueType(1, "list", "list", ((STRING,),)),
    ValueType(2, "set", "set", ((STRING,),)),
    ValueType(3, "zset", "sorted set, scores as text", ((STRING, DOUBLE_TEXT),)),
    ValueType(4, "hash", "hash", ((STRING, STRING),)),
    ValueType(5, "zset", "sorted set", ((STRING, 8),)),
    ValueType(7, "module", "module value", (LENGTH, MODULE)),
    ValueType(9, "hash", "hash in a zipmap", ONE_STRING),
    ValueType(10, "list", "list in a ziplist", ONE_STRING),
    ValueType(11, "set", "set of integers", ONE_STRING),
    ValueType(12, "zset", "sorted set in a ziplist", ONE_STRING),
    ValueType(13, "hash", "hash in a ziplist", ONE_STRING),
    ValueType(14, "list", "list of ziplists", ((STRING,),)),
    ValueType(15, "stream", "stream", ((_NODES), *(LENGTH,) * 3, _STREAM_GROUP_V1)),
    ValueType(16, "hash", "hash in a listpack", ONE_STRING),
    ValueType(17, "zset", "sorted set in a listpack", ONE_STRING),
    ValueType(18, "list", "list of listpacks", ((LENGTH, STRING),)),
    ValueType(19, "stream", "stream, version 2", (_NODES, *(LENGTH,) * 8, _STREAM_GROUP_V2)),
    ValueType(20, "set", "set in a listpack", ONE_STRING),
    ValueType(21, "stream", "stream, version 3", (_NODES, *(LENGTH,) * 8, _STREAM_GROUP_V3)),
)
_REDIS_ONLY: Final = (
    ValueType(22, "hash", "hash with field ttl, 7.4 candidate", ((LENGTH, STRING, STRING),)),
    ValueType(23, "hash", "hash with field ttl in a listpack, 7.4 candidate", ONE_STRING),
    ValueType(24, "hash", "hash with field ttl", (8, (LENGTH, STRING, STRING))),
    ValueType(25, "hash", "hash with field ttl in a listpack", (8, STRING)),
)
_VALKEY_ONLY: Final = (ValueType(22, "hash", "hash with field expiry", ((STRING, STRING, 8),)),)


@dataclass(frozen=True, eq=False)
class Dialect:
    """One family of servers: the header's first bytes, the versions it writes, its value types by code."""

    name: str
    magic: bytes
    versions: range
    types: Mapping[int, ValueType]


def _by_code(*types: ValueType) -> Mapping[int, ValueType]:
    return MappingProxyType({each.code: each for each in types})


REDIS: Final = Dialect("redis", b"REDIS", range(9, 13), _by_code(*_COMMON, *_REDIS_ONLY))
"""Redis 5.0 to 8.0, and Valkey up to 8: nine bytes, `REDIS` and four digits."""

VALKEY: Final = Dialect("valkey", b"VALKEY", range(80, 81), _by_code(*_COMMON, *_VALKEY_ONLY))
"""Valkey from 9.0 on: `VALKEY` and three digits. Type 22 is not what Redis means by it."""

DIALECTS: Final = (REDIS, VALKEY)
HEADER_BYTES: Final = 9
CHECKSUM_BYTES: Final = 8
