"""Regular expressions for length-prefixed bytes: many small fields found by one call.

Every field begins with its length, so alternatives over the first byte, each with so many bytes behind it,
find its end without doubt; `re` does that some five times as fast as a loop. The patterns cover what is
usual and end with `|.+`, which stops `findall` at the first thing that isn't: its last item is then empty.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

_STEP = 32
_LONGEST = 512
"""Strings of this length and longer are not usual; a multiple of 256."""


def _byte(number: int) -> bytes:
    return re.escape(bytes((number,)))


def _any_of(alternatives: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(alternatives) + b")"


def _common_first(lengths: range) -> list[int]:
    # `re` tries them one by one, and most names and words have from 6 to 40 bytes.
    return sorted(lengths, key=lambda length: (not 6 <= length <= 40, length))


def _short(length: int) -> bytes:
    # A server stores what reads as an integer in another way; one that didn't would be brought into form.
    no_integer = b"(?![-0-9][0-9]{%d})" % (length - 1) if 0 < length < 12 else b""
    return _byte(length) + no_integer + b".{%d}" % length


def _medium(between: bytes = b"") -> bytes:
    """Strings whose length takes two bytes, with `between` behind it."""
    return b"|".join(_byte(0x40 | high) + _second_byte(high, between) for high in range(_LONGEST // 256))


def _second_byte(high: int, between: bytes) -> bytes:
    # A look at the byte leaves few alternatives to try.
    steps = (range(low, low + _STEP) for low in range(0 if high else 64, 256, _STEP))
    return _any_of(
        b"(?=[%b-%b])" % (_byte(step[0]), _byte(step[-1]))
        + _any_of(_byte(low) + between + b".{%d}" % (high << 8 | low) for low in step)
        for step in steps
    )


_INTEGER = rb"\xc0.|\xc1..|\xc2.{4}"
_NAME = _any_of([*map(_short, _common_first(range(64))), _INTEGER])


@functools.cache
def _plain() -> bytes:
    """A string as a server stores it without compression."""
    return _any_of([_NAME, _medium()])


@functools.cache
def _compressed() -> bytes:
    any_length = rb"(?:[\x00-\x3f]|[\x40-\x7f].)"
    short = (_byte(length) + any_length + b".{%d}" % length for length in range(4, 64))
    return rb"\xc3" + _any_of([*short, _medium(any_length)])


def _stored() -> bytes:
    return _any_of([_plain(), _compressed()])


def _findall(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern + b"|.+", re.DOTALL)


@functools.cache
def usual_entries() -> re.Pattern[bytes]:
    """Groups: the whole entry; the type of a list in one node; another type; the key; the value as stored.

    The last four are empty for a string that is stored uncompressed, under a name that is. Compiling takes a
    fifth of a second.
    """
    plain_string = rb"\x00" + _NAME + _plain()
    packed = rb"(?:(\x12)|([\x00\x0b\x10\x11\x14]))(" + _NAME + rb")(?(2)\x01\x02)(" + _stored() + b")"
    return _findall(rb"((?:\xfc.{8})?" + _any_of([plain_string, packed]) + b")")


@functools.cache
def stored_entries() -> re.Pattern[bytes]:
    """Group: a whole usual entry, whatever its value says."""
    one_string = rb"[\x00\x0b\x10\x11\x14]" + _NAME
    list_in_one_node = rb"\x12" + _NAME + rb"\x01\x02"
    return _findall(rb"((?:\xfc.{8})?" + _any_of([one_string, list_in_one_node]) + _stored() + b")")


@functools.cache
def walked_heads() -> re.Pattern[bytes]:
    """Groups: expiry, type and key of an entry whose end is found by walking: sets, streams."""
    return re.compile(rb"(?:\xfc(.{8}))?([\x02\x13\x15])(" + _NAME + b")", re.DOTALL)


@functools.cache
def stored_strings() -> re.Pattern[bytes]:
    """Group: a string as it is stored."""
    return _findall(b"(" + _stored() + b")")


@functools.cache
def scored_strings() -> re.Pattern[bytes]:
    """Groups: a string as it is stored, and eight bytes of score."""
    return _findall(b"(" + _stored() + b")(.{8})")


@functools.cache
def plain_records(strings: int, *, scored: bool) -> re.Pattern[bytes]:
    """Group: a record of a hash table whose strings are stored uncompressed."""
    return _findall(b"(" + _plain() * strings + (b".{8}" if scored else b"") + b")")


@functools.cache
def stored_records(strings: int, *, scored: bool) -> re.Pattern[bytes]:
    """Groups: the strings of a record, as they are stored, and the rest."""
    return _findall((b"(" + _stored() + b")") * strings + b"(" + (b".{8}" if scored else b"") + b")")


_LENGTH = rb"(?:[\x00-\x3f]|[\x40-\x7f].|\x80.{4}|\x81.{8})"
STREAM_COUNTERS = re.compile(b"(" + _LENGTH * 3 + b")" + _LENGTH * 2 + b"(" + _LENGTH * 3 + b")", re.DOTALL)
"""Groups: a stream's length and last id; what was deleted and added. Between them is the first id."""
STREAM_GROUP = re.compile(_NAME + _LENGTH * 3, re.DOTALL)
STREAM_NAME = re.compile(_NAME, re.DOTALL)


_TOKEN_TEXT = b"|".join(_byte(0x80 | length) + b".{%d}" % (length + 1) for length in _common_first(range(64)))
_TOKEN_INTEGER = rb"[\x00-\x7f].|[\xc0-\xdf]..|\xf1.{3}|\xf2.{4}|\xf3.{5}|\xf4.{9}"
# From 64 to 255 bytes: the length in front is two bytes, the one behind is one or two.
_TOKEN_MEDIUM = rb"\xe0" + _any_of(
    _byte(length) + b".{%d}" % (length + (1 if length < 126 else 2)) for length in range(64, 256)
)
_TOKEN = _any_of([_TOKEN_TEXT, _TOKEN_INTEGER, _TOKEN_MEDIUM])


@functools.cache
def listpack_tokens(width: int) -> re.Pattern[bytes]:
    """Group: so many tokens of a listpack."""
    return _findall(b"(" + _TOKEN * width + b")")


@functools.cache
def listpack_scores() -> re.Pattern[bytes]:
    """Groups: a member's token, and its score's: a text, or an integer."""
    return _findall(b"(" + _TOKEN + b")(?:(" + _TOKEN_TEXT + b")|(" + _TOKEN_INTEGER + b"))")
