"""A fingerprint of a database: 128 bits that two servers compute alike if they hold the same.

**What is in it.** Of every key: its name, what kind of value it is, the value, and its absolute expiry in
milliseconds. The sum of the keys' digests modulo 2^128: order doesn't count, and fingerprints of parts
add up to that of the whole.

**What it is invariant under**, because it sees logical values:

- MOVE, DUMP and RESTORE (with ABSTTL), SAVE and loading in another process or server;
- the order of hash tables, which differs between processes, and that of keys in the stream;
- encodings and their change on loading or by configuration (listpack, ziplist, intset, quicklist, hash
  table, skip list), how a list or a stream is cut into nodes, RDB versions 9 to 12 and 80;
- compression by LZF and its absence, integer encoding of strings;
- access frequency and idle time; when a stream's consumer was last seen or active; entries of a stream
  that are only marked as deleted; the number of the database.

**What changes it** although a user may call it the same: reading a key with a stream group; a stream with
groups that goes from 6.2 (no counter of entries read) to 7.0 or later (an estimate); a sorted set's -0 is 0
and stays equal. Keys and hash fields that expire between two looks: keys can be left out by
`surviving`, hash fields can't. A module's value is compared as the module wrote it.

It finds what went wrong by accident. It is not a signature: that is the archive's business.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.canonical import MODULUS
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.errors import MalformedRecord
from autobot_ops.rdb.forms import forms_of
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS, Dialect, Kind
from autobot_ops.rdb.quick_forms import QUICK_FORMS
from autobot_ops.rdb.skipping import BadEncoding
from autobot_ops.rdb.stream_forms import STREAM_VERSIONS, stream_form
from autobot_ops.rdb.tokens import BadPacking, plain

SPAN_BITS = 17
SPANS_AHEAD = 660
"""Expiries are told apart by spans of 2^17 ms (131 s) for as many spans (one day) after the stream began."""

KIND_LETTERS: Mapping[Kind, bytes] = MappingProxyType(
    {
        # A string's is its type in the file: see `counting`.
        "string": b"\x00",
        "list": b"l",
        "set": b"e",
        "zset": b"z",
        "hash": b"h",
        "stream": b"x",
        "module": b"m",
    }
)
EXPIRY_MARK = bytes((EXPIRES_MILLISECONDS,))


class KeyDigests:
    """Computes 128 bits for one entry: key, kind, value and expiry, but not its database.

    For who plans to move keys: the digests of the keys of a route add up to what its target gains. Without
    `entries_read` that counter of streams' groups doesn't count, which servers before 7.0 don't have.
    """

    def __init__(self, dialect: Dialect, *, entries_read: bool = True) -> None:
        forms = forms_of(dialect)
        self._by_code = {
            code: (KIND_LETTERS[each.kind], QUICK_FORMS.get(code), forms[code])
            for code, each in dialect.types.items()
        }
        for code, version in STREAM_VERSIONS.items() if not entries_read else ():
            self._by_code[code] = (
                KIND_LETTERS["stream"], None, stream_form(version, entries_read=False)
            )  # fmt: skip

    def of(self, entry: Entry) -> int:
        """The digest; reads the entry's value. MalformedRecord where the value is none."""
        letter, quick, form_of = self._by_code[entry.code]
        form = None
        try:
            if quick is not None and entry.end:
                form = quick(entry.data, entry.value_at, entry.end)
            if form is None:
                form = form_of(entry.content())
        except (BadPacking, BadEncoding, OverflowError, struct.error) as error:
            raise MalformedRecord(
                f"{error}, in the value of {entry.key[:60]!r}", offset=entry.offset
            ) from error
        expires_at = entry.expires_at
        expiry = b"" if expires_at is None else EXPIRY_MARK + expires_at.to_bytes(8, "little", signed=True)
        return xxh3_128_intdigest(expiry + letter + plain(entry.key) + form)


@dataclass(frozen=True)
class Fingerprint:
    """Of a set of keys: how many, and the sum of their digests."""

    keys: int = 0
    total: int = 0

    def __add__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.keys + other.keys, (self.total + other.total) % MODULUS)

    def __sub__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.keys - other.keys, (self.total - other.total) % MODULUS)

    def __str__(self) -> str:
        return f"{self.keys}:{self.total:032x}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text; ValueError where it is none."""
        keys, total = text.split(":")
        return cls(int(keys), int(total, 16))


@dataclass(frozen=True)
class Prints:
    """Of a set of keys: its fingerprint, and those parts of it that expire within a day, by their end."""

    fingerprint: Fingerprint = Fingerprint()
    expiring: Mapping[int, Fingerprint] = field(default_factory=dict)

    def surviving(self, at: int) -> Fingerprint:
        """See `surviving`."""
        return surviving(self.fingerprint, self.expiring, at)


class Fingerprinter:
    """Adds up the fingerprint of one database.

    `began_at` is when the stream began (its field ctime), in milliseconds: from there on expiries are told
    apart by spans. Memory: those spans.
    """

    def __init__(self, began_at: int) -> None:
        self._first_span = began_at >> SPAN_BITS
        self._keys = 0
        self._total = 0
        self._spans: dict[int, list[int]] = {}

    def add(self, digest: int, expires_at: int | None) -> None:
        """Count in a key by its digest."""
        self._keys += 1
        self._total += digest
        if expires_at is not None:
            span = max(expires_at >> SPAN_BITS, self._first_span)
            if span <= self._first_span + SPANS_AHEAD:
                counted = self._spans.setdefault(span, [0, 0])
                counted[0] += 1
                counted[1] += digest

    def add_lasting(self, keys: int, total: int) -> None:
        """Count in keys without expiry by the sum of their digests."""
        self._keys += keys
        self._total += total

    @property
    def fingerprint(self) -> Fingerprint:
        """Of all keys so far, expired ones included."""
        return Fingerprint(self._keys, self._total % MODULUS)

    @property
    def expiring(self) -> dict[int, Fingerprint]:
        """Of the keys that expire within a day, by the end of their span in milliseconds."""
        return {
            (span + 1) << SPAN_BITS: Fingerprint(keys, total % MODULUS)
            for span, (keys, total) in sorted(self._spans.items())
        }

    @property
    def prints(self) -> Prints:
        """Both."""
        return Prints(self.fingerprint, self.expiring)


def surviving(fingerprint: Fingerprint, expiring: Mapping[int, Fingerprint], at: int) -> Fingerprint:
    """What is left of a fingerprint when all keys are left out whose span has begun at `at` (milliseconds).

    For comparing two streams of which the later one was taken at or before `at`: whatever could have
    expired in between is left out on both sides. `at` lies within a day after the earlier stream.
    """
    for ends_at, part in expiring.items():
        if ends_at - (1 << SPAN_BITS) <= at:
            fingerprint -= part
    return fingerprint
