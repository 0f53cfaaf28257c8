"""Values for property tests: each as what it means and as all the bytes that mean it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests import rdb_bytes as b

texts = st.one_of(
    st.binary(max_size=40),
    st.integers(-(1 << 64), 1 << 64).map(lambda number: b"%d" % number),
    st.sampled_from([b"", b"0", b"-0", b"007", b"+5", b"-1", b"127", b"128", b"4095", b"4096", b"-4097"]),
    st.sampled_from([b"ab" * 40, b"x" * 63, b"x" * 64, b"y" * 300, b"z" * 5000]),
)
strings = st.sampled_from([b.string, b.raw, b.lzf])
"""Ways to store a string."""


def lists(elements: Sequence[bytes], store: Callable[[bytes], bytes], cut: int) -> dict[int, bytes]:
    """A list by type; `cut` is how many elements a node has."""
    nodes = [elements[start : start + cut] for start in range(0, len(elements), cut)]
    mixed = [
        b.length(1) + store(node[0])
        if len(node) == 1 and index % 2
        else b.length(2) + store(b.listpack(node))
        for index, node in enumerate(nodes)
    ]
    return {
        1: b.counted([store(each) for each in elements]),
        10: store(b.ziplist(elements)),
        14: b.counted([store(b.ziplist(node)) for node in nodes]),
        18: b.counted(mixed),
    }


def sets(members: Sequence[bytes], store: Callable[[bytes], bytes]) -> dict[int, bytes]:
    """A set by type, as an integer set too where it is one."""
    forms = {2: b.counted([store(each) for each in members]), 20: store(b.listpack(members))}
    numbers = [b.as_integer(each) for each in members]
    if all(each is not None for each in numbers):
        forms[11] = store(b.intset([each for each in numbers if each is not None]))
    return forms


def hashes(pairs: Sequence[tuple[bytes, bytes]], store: Callable[[bytes], bytes]) -> dict[int, bytes]:
    """A hash without field expiry by type, in the forms with field expiry too."""
    flat = [text for pair in pairs for text in pair]
    triples = [text for name, value in pairs for text in (name, value, b"0")]
    table = [store(name) + store(value) for name, value in pairs]
    return {
        4: b.counted(table),
        13: store(b.ziplist(flat)),
        16: store(b.listpack(flat)),
        22: b.counted([b.length(0) + each for each in table]),
        23: store(b.listpack(triples)),
        24: b.milliseconds(0) + b.counted([b.length(0) + each for each in table]),
        25: b.milliseconds(0) + store(b.listpack(triples)),
    }


def text_score(score: float) -> bytes:
    """A score as the packed forms have it."""
    whole = abs(score) < 1 << 52 and score == int(score)
    return b"%d" % int(score) if whole else b"%.17g" % score


def sorted_sets(pairs: Sequence[tuple[bytes, float]], store: Callable[[bytes], bytes]) -> dict[int, bytes]:
    """A sorted set by type."""
    flat = [text for member, score in pairs for text in (member, text_score(score))]
    old = [store(member) + b.raw(b"%.17g" % score) for member, score in pairs]
    return {
        3: b.counted(old),
        5: b.counted([store(member) + struct.pack("<d", score) for member, score in pairs]),
        12: store(b.ziplist(flat)),
        17: store(b.listpack(flat)),
    }
