"""From the value at the window's position to its canonical form, by value type.

Each function reads exactly one value of its type, of any size, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from autobot_ops.rdb.canonical import bag_form, run_form, string_form
from autobot_ops.rdb.content import read_string
from autobot_ops.rdb.layout import VALKEY, Dialect
from autobot_ops.rdb.packed import Packed, intset_tokens, listpack_body, listpack_tokens, ziplist_tokens
from autobot_ops.rdb.stream_forms import stream_form
from autobot_ops.rdb.tokens import (
    BadPacking,
    binary_score,
    number_of,
    score_of,
    score_token,
    token_of,
)
from autobot_ops.rdb.window import Window

Form = Callable[[Window], bytes]

_PACKED_NODE = 2
# What no token begins with: parts of records that are no elements.
_EXPIRY, _MODULE_PART = b"\xfd", b"\xfc"
_TEXT_SCORES = {253: float("nan"), 254: float("inf"), 255: float("-inf")}
_MODULE_END, _MODULE_BYTES, _MODULE_STRING = 0, {3: 4, 4: 8}, 5


def _counted(window: Window) -> Iterator[None]:
    for _ in range(window.length()):
        window.release()
        yield


def _element(window: Window) -> bytes:
    return token_of(read_string(window))


def _time(window: Window) -> int:
    return int.from_bytes(window.take(8), "little", signed=True)


def _field(name: bytes, value: bytes, expires_at: int) -> bytes:
    """A hash's record; `expires_at` in milliseconds, 0 or less for none."""
    return name + value + (_EXPIRY + expires_at.to_bytes(8, "little") if expires_at > 0 else b"")


def _string(window: Window) -> bytes:
    return string_form(read_string(window))


def _list(window: Window) -> bytes:
    return run_form(_element(window) for _ in _counted(window))


def _list_of_ziplists(window: Window) -> bytes:
    return run_form(each for _ in _counted(window) for each in ziplist_tokens(read_string(window)))


def _list_of_listpacks(window: Window) -> bytes:
    return run_form(_nodes(window))


def _nodes(window: Window) -> Iterator[bytes]:
    for _ in _counted(window):
        packed = window.length() == _PACKED_NODE
        blob = read_string(window)
        if not packed:
            yield token_of(blob)
        elif isinstance(blob, bytes):
            # Nothing in it is long, so its tokens may stay together.
            yield listpack_body(blob)
        else:
            yield from listpack_tokens(blob)


def _set(window: Window) -> bytes:
    return bag_form(_element(window) for _ in _counted(window))


def _hash(window: Window) -> bytes:
    return bag_form(_element(window) + _element(window) for _ in _counted(window))


def _hash_with_expiry(window: Window) -> bytes:
    return bag_form(_field(_element(window), _element(window), _time(window)) for _ in _counted(window))


def _hash_with_ttl(window: Window) -> bytes:
    return bag_form(_ttl_records(window, _time(window) - 1))


def _hash_with_absolute_ttl(window: Window) -> bytes:
    return bag_form(_ttl_records(window, 0))


def _ttl_records(window: Window, base: int) -> Iterator[bytes]:
    for _ in _counted(window):
        ttl = window.length()
        yield _field(_element(window), _element(window), ttl + base if ttl else 0)


def _hash_listpack_with_ttl(window: Window) -> bytes:
    _time(window)
    return _hash_listpack_with_absolute_ttl(window)


def _hash_listpack_with_absolute_ttl(window: Window) -> bytes:
    return bag_form(
        _field(name, value, number_of(expires_at))
        for name, value, expires_at in _groups(listpack_tokens(read_string(window)), 3)
    )


def _sorted_set(window: Window) -> bytes:
    return bag_form(
        _element(window) + score_token(binary_score(window.take(8))) for _ in _counted(window)
    )


def _sorted_set_with_text(window: Window) -> bytes:
    return bag_form(_element(window) + score_token(_text_score(window)) for _ in _counted(window))


def _text_score(window: Window) -> float:
    length = window.take(1)[0]
    if length in _TEXT_SCORES:
        return _TEXT_SCORES[length]
    try:
        return float(window.take(length))
    except ValueError as error:
        raise BadPacking("a sorted set's score that is no number") from error


def _one_blob(tokens: Callable[[Packed], Iterator[bytes]], records: Callable[[Iterator[bytes]], Iterator[bytes]]) -> Form:
    return lambda window: bag_form(records(tokens(read_string(window))))


def _groups(tokens: Iterator[bytes], width: int) -> Iterator[tuple[bytes, ...]]:
    try:
        yield from zip(*(tokens,) * width, strict=True)
    except ValueError as error:
        raise BadPacking("a packed value with half a record") from error


def _pairs(tokens: Iterator[bytes]) -> Iterator[bytes]:
    return (name + value for name, value in _groups(tokens, 2))


def _scored(tokens: Iterator[bytes]) -> Iterator[bytes]:
    return (member + score_token(score_of(score)) for member, score in _groups(tokens, 2))


def _ziplist_list(window: Window) -> bytes:
    return run_form(ziplist_tokens(read_string(window)))


def _module(window: Window) -> bytes:
    return run_form(_module_parts(window))


def _module_parts(window: Window) -> Iterator[bytes]:
    yield window.length().to_bytes(8, "little")
    while (opcode := window.length()) != _MODULE_END:
        window.release()
        yield _MODULE_PART + bytes((opcode,))
        if opcode == _MODULE_STRING:
            yield _element(window)
        elif opcode in _MODULE_BYTES:
            yield window.take(_MODULE_BYTES[opcode])
        else:
            yield window.length().to_bytes(8, "little")


_FORMS: Mapping[int, Form] = MappingProxyType(
    {
        0: _string,
        1: _list,
        2: _set,
        3: _sorted_set_with_text,
        4: _hash,
        5: _sorted_set,
        7: _module,
        9: _string,  # A zipmap is compared as it is: no server that writes RDB 9 or later makes one.
        10: _ziplist_list,
        11: _one_blob(intset_tokens, iter),
        12: _one_blob(ziplist_tokens, _scored),
        13: _one_blob(ziplist_tokens, _pairs),
        14: _list_of_ziplists,
        15: stream_form(1),
        16: _one_blob(listpack_tokens, _pairs),
        17: _one_blob(listpack_tokens, _scored),
        18: _list_of_listpacks,
        19: stream_form(2),
        20: _one_blob(listpack_tokens, iter),
        21: stream_form(3),
        22: _hash_with_absolute_ttl,
        23: _hash_listpack_with_absolute_ttl,
        24: _hash_with_ttl,
        25: _hash_listpack_with_ttl,
    }
)


def forms_of(dialect: Dialect) -> Mapping[int, Form]:
    """Value type → its function, for one family of servers."""
    return {**_FORMS, 22: _hash_with_expiry} if dialect is VALKEY else _FORMS

