"""From the value at the window's position to its canonical form, by value type.

Each function reads exactly one value of its type, of any size, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.canonical import (
    MOST_RECORDS,
    big_bag_form,
    run_form,
    small_bag_form,
)
from autobot_ops.rdb.content import LongString, read_string
from autobot_ops.rdb.layout import VALKEY, Dialect
from autobot_ops.rdb.packed import Packed, listpack_body, open_intset, open_listpack, open_ziplist
from autobot_ops.rdb.stream_forms import stream_form
from autobot_ops.rdb.tables import table_sum
from autobot_ops.rdb.tokens import (
    BadPacking,
    binary_score,
    number_of,
    plain_of,
    plain_token,
    score_bytes,
    score_of,
    token_of,
)
from autobot_ops.rdb.window import Window

Form = Callable[[Window], bytes]
Opener = Callable[[Packed], tuple[int, Iterator[bytes]]]

_PACKED_NODE = 2
# What neither a token nor a plain string begins with: parts that are no elements.
_EXPIRY, _MODULE_PART = b"\xfd", b"\xfc"
_TEXT_SCORES = {253: float("nan"), 254: float("inf"), 255: float("-inf")}
_MODULE_END, _MODULE_BYTES, _MODULE_STRING = 0, {3: 4, 4: 8}, 5


@dataclass(frozen=True)
class Rendering:
    """How the strings of a bag's records are written: from what is stored, from a token."""

    element: Callable[[bytes | LongString], bytes]
    token: Callable[[bytes], bytes]


_AS_TOKENS = Rendering(token_of, lambda token: token)
_PLAINLY = Rendering(plain_of, plain_token)


def _bag_form(
    count: int, records: Callable[[Rendering], Iterable[bytes]], small: Rendering = _AS_TOKENS
) -> bytes:
    if count <= MOST_RECORDS:
        return small_bag_form(records(small))
    found = total = 0
    for record in records(_PLAINLY):
        found += 1
        total += xxh3_128_intdigest(record)
    return big_bag_form(found, total)


def _each(window: Window, count: int) -> Iterator[None]:
    for _ in range(count):
        window.release()
        yield


def _time(window: Window) -> int:
    return int.from_bytes(window.take(8), "little", signed=True)


def _string(window: Window) -> bytes:
    return plain_of(read_string(window))


def _list(window: Window) -> bytes:
    return run_form(token_of(read_string(window)) for _ in _each(window, window.length()))


def _list_in(opener: Opener) -> Form:
    return lambda window: run_form(opener(read_string(window))[1])


def _list_of_ziplists(window: Window) -> bytes:
    nodes = (open_ziplist(read_string(window)) for _ in _each(window, window.length()))
    return run_form(token for _, tokens in nodes for token in tokens)


def _list_of_listpacks(window: Window) -> bytes:
    return run_form(_nodes(window))


def _nodes(window: Window) -> Iterator[bytes]:
    for _ in _each(window, window.length()):
        packed = window.length() == _PACKED_NODE
        blob = read_string(window)
        if not packed:
            yield token_of(blob)
        elif isinstance(blob, bytes):
            # Nothing in it is long, so its tokens may stay together.
            yield listpack_body(blob)
        else:
            yield from open_listpack(blob)[1]


def _table(strings: int, *, scored: bool = False, small: Rendering = _AS_TOKENS) -> Form:
    """Sets, hashes and sorted sets as a server writes its hash tables: the big ones have a fast way."""

    def form(window: Window) -> bytes:
        count = window.length()
        if count > MOST_RECORDS:
            return big_bag_form(count, table_sum(window, count, strings, scored=scored))
        return small_bag_form(
            b"".join([small.element(read_string(window)) for _ in range(strings)])
            + (score_bytes(binary_score(window.take(8))) if scored else b"")
            for _ in _each(window, count)
        )

    return form


def _field(name: bytes, value: bytes, expires_at: int) -> bytes:
    """A hash's record; `expires_at` in milliseconds, 0 or less for none."""
    return name + value + (_EXPIRY + expires_at.to_bytes(8, "little") if expires_at > 0 else b"")


def _hash_with_expiry(window: Window) -> bytes:
    count = window.length()
    return _bag_form(
        count,
        lambda to: (
            _field(to.element(read_string(window)), to.element(read_string(window)), _time(window))
            for _ in _each(window, count)
        ),
    )


def _hash_with_ttl(window: Window) -> bytes:
    return _hash_with_relative_ttl(window, _time(window) - 1)


def _hash_with_relative_ttl(window: Window, base: int = 0) -> bytes:
    count = window.length()

    def records(to: Rendering) -> Iterator[bytes]:
        for _ in _each(window, count):
            ttl = window.length()
            name, value = to.element(read_string(window)), to.element(read_string(window))
            yield _field(name, value, ttl + base if ttl else 0)

    return _bag_form(count, records)


def _hash_in_listpack_with_ttl(window: Window) -> bytes:
    _time(window)  # The least of the expiries, which come again with their fields.
    return _hash_in_listpack_with_absolute_ttl(window)


def _hash_in_listpack_with_absolute_ttl(window: Window) -> bytes:
    count, tokens = open_listpack(read_string(window))
    return _bag_form(
        count // 3,
        lambda to: (
            _field(to.token(name), to.token(value), number_of(expires_at))
            for name, value, expires_at in _groups(tokens, 3)
        ),
    )


def _sorted_set_with_text(window: Window) -> bytes:
    count = window.length()
    return _bag_form(
        count,
        lambda to: (
            to.element(read_string(window)) + score_bytes(_text_score(window)) for _ in _each(window, count)
        ),
    )


def _text_score(window: Window) -> float:
    length = window.take(1)[0]
    if length in _TEXT_SCORES:
        return _TEXT_SCORES[length]
    try:
        return float(window.take(length))
    except ValueError as error:
        raise BadPacking("a sorted set's score that is no number") from error


def _groups(tokens: Iterator[bytes], width: int) -> Iterator[tuple[bytes, ...]]:
    try:
        yield from zip(*(tokens,) * width, strict=True)
    except ValueError as error:
        raise BadPacking("a packed value with half a record") from error


def _set_in(opener: Opener) -> Form:
    def form(window: Window) -> bytes:
        count, tokens = opener(read_string(window))
        return _bag_form(count, lambda to: map(to.token, tokens), _PLAINLY)

    return form


def _hash_in(opener: Opener) -> Form:
    def form(window: Window) -> bytes:
        count, tokens = opener(read_string(window))
        return _bag_form(
            count // 2, lambda to: (to.token(name) + to.token(value) for name, value in _groups(tokens, 2))
        )

    return form


def _sorted_set_in(opener: Opener) -> Form:
    def form(window: Window) -> bytes:
        count, tokens = opener(read_string(window))
        return _bag_form(
            count // 2,
            lambda to: (
                to.token(member) + score_bytes(score_of(score)) for member, score in _groups(tokens, 2)
            ),
        )

    return form


def _module(window: Window) -> bytes:
    return run_form(_module_parts(window))


def _module_parts(window: Window) -> Iterator[bytes]:
    yield window.length().to_bytes(8, "little")
    while (opcode := window.length()) != _MODULE_END:
        window.release()
        yield _MODULE_PART + bytes((opcode & 0xFF,))
        if opcode == _MODULE_STRING:
            yield token_of(read_string(window))
        elif opcode in _MODULE_BYTES:
            yield window.take(_MODULE_BYTES[opcode])
        else:
            yield window.length().to_bytes(8, "little")


_FORMS: Mapping[int, Form] = MappingProxyType(
    {
        0: _string,
        1: _list,
        2: _table(1, small=_PLAINLY),
        3: _sorted_set_with_text,
        4: _table(2),
        5: _table(1, scored=True),
        7: _module,
        9: _string,  # A zipmap is compared as it is: no server that writes RDB 9 or later makes one.
        10: _list_in(open_ziplist),
        11: _set_in(open_intset),
        12: _sorted_set_in(open_ziplist),
        13: _hash_in(open_ziplist),
        14: _list_of_ziplists,
        15: stream_form(1),
        16: _hash_in(open_listpack),
        17: _sorted_set_in(open_listpack),
        18: _list_of_listpacks,
        19: stream_form(2),
        20: _set_in(open_listpack),
        21: stream_form(3),
        22: _hash_with_relative_ttl,
        23: _hash_in_listpack_with_absolute_ttl,
        24: _hash_with_ttl,
        25: _hash_in_listpack_with_ttl,
    }
)


def forms_of(dialect: Dialect) -> Mapping[int, Form]:
    """Value type → its function, for one family of servers."""
    return {**_FORMS, 22: _hash_with_expiry} if dialect is VALKEY else _FORMS
