"""The canonical form of a usual stream, quickly: in memory, nothing deleted, the same fields everywhere.

For speed only: `stream_forms` gives the same for every stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import chain, repeat

from autobot_ops.rdb.content import LARGE, whole
from autobot_ops.rdb.grammar import STREAM_COUNTERS, STREAM_GROUP, STREAM_NAME
from autobot_ops.rdb.packed import listpack_records
from autobot_ops.rdb.skipping import read_length
from autobot_ops.rdb.stream_forms import CONSUMER, COUNTERS, ENTRY, GROUP, ID_BYTES, TIME_BYTES
from autobot_ops.rdb.tokens import number_of

# Flags: same fields, and not deleted.
_USUAL_FLAGS = b"\x02\x01"
_unpack_id = struct.Struct(">QQ").unpack
_pack_entry = struct.Struct(">cQQQ").pack


def walk_stream(version: int) -> Callable[[bytes, int], tuple[bytes, int] | None]:
    """For version 2 (type 19) or 3 (type 21) of the layout: the form, and where the value ends.

    None for a stream that isn't usual; IndexError where `data` ends first.
    """
    times = TIME_BYTES * (version - 1)

    def walk(data: bytes, position: int) -> tuple[bytes, int] | None:
        nodes, position = read_length(data, position)
        parts = [b"="]
        for _ in range(nodes):
            if data[position] == ID_BYTES:
                identity, position = data[position + 1 : position + 1 + ID_BYTES], position + 1 + ID_BYTES
            else:
                identity, position = whole(data, position)
            blob, position = whole(data, position)
            if len(blob) > LARGE or len(identity) != ID_BYTES or not _add_node(parts, identity, blob):
                return None
        counters = STREAM_COUNTERS.match(data, position)
        if counters is None:
            return None
        parts += (COUNTERS, *counters.groups())
        groups, position = read_length(data, counters.end())
        for _ in range(groups):
            position = _add_group(parts, data, position, times)
            if not position:
                return None
        found = b"".join(parts)
        return (found, position) if len(found) <= LARGE else None

    return walk


def _add_node(parts: list[bytes], identity: bytes, blob: bytes) -> bool:
    """Whether the node is a usual one: then its entries are among the parts."""
    tokens = listpack_records(blob, 1)
    if len(tokens) < 4 or tokens[1] != b"\x00\x01":
        return False
    count, fields = number_of(tokens[0]), number_of(tokens[2])
    # Flags, two numbers of the id, the values, and how many tokens that were.
    stride = fields + 4
    first = 4 + fields
    if count < 1 or len(tokens) != first + count * stride:
        return False
    if tokens[first::stride].count(_USUAL_FLAGS) != count:
        return False
    ms, sequence = _unpack_id(identity)
    heads = [
        _pack_entry(
            ENTRY,
            ms + (later[0] if later[0] < 0x80 else number_of(later)),
            sequence + (further[0] if further[0] < 0x80 else number_of(further)),
            fields,
        )
        for later, further in zip(tokens[first + 1 :: stride], tokens[first + 2 :: stride], strict=True)
    ]
    columns: list[Iterable[bytes]] = [heads]
    for at in range(fields):
        columns += (repeat(tokens[3 + at], count), tokens[first + 3 + at :: stride])
    parts += chain.from_iterable(zip(*columns, strict=True))
    return True


def _add_group(parts: list[bytes], data: bytes, position: int, times: int) -> int:
    """Where the group ends; 0 for an unusual one."""
    group = STREAM_GROUP.match(data, position)
    if group is None:
        return 0
    pending, at = read_length(data, group.end())
    for _ in range(pending):
        at += ID_BYTES + TIME_BYTES
        at = at + 1 if data[at] < 0x40 else read_length(data, at)[1]
    consumers, at = read_length(data, at)
    parts += (GROUP, data[position:at])
    for _ in range(consumers):
        name = STREAM_NAME.match(data, at)
        if name is None:
            return 0
        listed = name.end() + times
        pending, at = read_length(data, listed)
        at += pending * ID_BYTES
        parts += (CONSUMER, name.group(), data[listed:at])
    data[at - 1]
    return at
