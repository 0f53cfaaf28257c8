"""The canonical form of a usual stream, quickly: in memory, nothing deleted, the same fields everywhere.

For speed only: `stream_forms` gives the same for every stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import chain, repeat

from autobot_ops.rdb.content import LARGE, whole
from autobot_ops.rdb.packed import listpack_records
from autobot_ops.rdb.skipping import read_length
from autobot_ops.rdb.stream_forms import CONSUMER, COUNTERS, ENTRY, GROUP, ID_BYTES, PENDING
from autobot_ops.rdb.tokens import number_of, token

_TIME_BYTES = 8
# Flags: same fields, and not deleted.
_USUAL_FLAGS = b"\x02\x01"
_unpack_id = struct.Struct(">QQ").unpack
_pack_entry = struct.Struct(">cQQQ").pack
_pack_counters = struct.Struct(">c6Q").pack
_pack_group = struct.Struct(">3Q").pack
_pack_number = struct.Struct(">Q").pack


def walk_stream(version: int) -> Callable[[bytes, int], tuple[bytes, int] | None]:
    """For version 2 (type 19) or 3 (type 21) of the layout: the form, and where the value ends.

    None for a stream that isn't usual; IndexError where `data` ends first.
    """
    times = _TIME_BYTES * (version - 1)

    def walk(data: bytes, position: int) -> tuple[bytes, int] | None:
        nodes, position = read_length(data, position)
        parts = [b"="]
        for _ in range(nodes):
            identity, position = whole(data, position)
            blob, position = whole(data, position)
            if len(blob) > LARGE or len(identity) != ID_BYTES or not _add_node(parts, identity, blob):
                return None
        numbers = []
        for _ in range(8):
            number, position = read_length(data, position)
            numbers.append(number)
        # All but the first entry's id.
        parts.append(_pack_counters(COUNTERS, *numbers[:3], *numbers[5:]))
        groups, position = read_length(data, position)
        for _ in range(groups):
            position = _add_group(parts, data, position, times)
        found = b"".join(parts)
        return (found, position) if len(found) <= LARGE else None

    return walk


def _add_node(parts: list[bytes], identity: bytes, blob: bytes) -> bool:
    """Whether the node is a usual one: then its entries are among the parts."""
    tokens = listpack_records(blob, 1)
    if len(tokens) < 4 or tokens[1] != b"\x00\x01":
        return False
    count, fields = number_of(tokens[0]), number_of(tokens[2])
    names = tokens[3 : 3 + fields]
    # Flags, two numbers of the id, the values, and how many tokens that were.
    stride = fields + 4
    entries = tokens[4 + fields :]
    flags = entries[::stride]
    if count < 1 or len(entries) != count * stride or flags.count(_USUAL_FLAGS) != count:
        return False
    ms, sequence = _unpack_id(identity)
    heads = [
        _pack_entry(ENTRY, ms + number_of(later), sequence + number_of(further), fields)
        for later, further in zip(entries[1::stride], entries[2::stride], strict=True)
    ]
    columns = (column for at, name in enumerate(names, 3) for column in (repeat(name), entries[at::stride]))
    parts += chain.from_iterable(zip(heads, *columns, strict=False))
    return True


def _add_group(parts: list[bytes], data: bytes, position: int, times: int) -> int:
    name, position = whole(data, position)
    numbers = []
    for _ in range(3):
        number, position = read_length(data, position)
        numbers.append(number)
    parts.append(GROUP + token(name) + _pack_group(*numbers))
    pending, position = read_length(data, position)
    for _ in range(pending):
        at = position + ID_BYTES + _TIME_BYTES
        fixed = data[position:at]
        deliveries, position = read_length(data, at)
        parts.append(PENDING + fixed + _pack_number(deliveries))
    consumers, position = read_length(data, position)
    for _ in range(consumers):
        name, position = whole(data, position)
        parts.append(CONSUMER + token(name))
        pending, position = read_length(data, position + times)
        for _ in range(pending):
            parts.append(PENDING + data[position : position + ID_BYTES])
            position += ID_BYTES
    data[position - 1]
    return position
