"""Every key of a stream with its digest, quickly: for who decides key by key, as a migration does.

As `counting`, usual entries are taken straight from the bytes.
"""

from __future__ import annotations

from typing import Protocol

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.content import whole
from autobot_ops.rdb.counting import DAMAGE, EXPIRY_BYTES, WALKED, usual_form
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.grammar import usual_entries, walked_heads
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS

_PLAIN_STRING = 0


class EachKey(Protocol):
    """Who gets the keys."""

    def __call__(self, key: bytes, digest: int, expires_at: int | None, size: int, code: int, /) -> object:
        """A key, and what it has.

        `digest` is what `KeyDigests` gives it, `expires_at` in milliseconds, `size` that of its entry in the
        stream, in bytes, `code` that of its type.
        """
        ...


class KeyListing:
    """Hands every key of one database to somebody, in the stream's order; a Taker for the Reader."""

    def __init__(self, digests: KeyDigests, each: EachKey) -> None:
        self._digests = digests
        self._each = each

    def add(self, entry: Entry) -> None:
        """An entry that the reader met; reads its value."""
        key, code, expires_at = entry.key, entry.code, entry.expires_at
        digest = self._digests.of(entry)
        self._each(key, digest, expires_at, entry.finish(), code)

    def take(self, data: bytes, position: int) -> int:
        """Hand over the usual entries that stand at `position`; where the first other thing begins."""
        each = self._each
        for entry, list_code, code, name, value in usual_entries().findall(data, position):
            if not entry:
                break
            expires_at = None
            head = 0
            if entry[0] == EXPIRES_MILLISECONDS:
                expires_at = int.from_bytes(entry[1:EXPIRY_BYTES], "little", signed=True)
                head = EXPIRY_BYTES
            if name:
                kind = list_code or code
                form = usual_form(kind, name, value)
                if form is None:
                    break
                digest = xxh3_128_intdigest(entry[:head] + form if head else form)
                number = kind[0]
                key = name[1:] if name[0] < 0x40 else whole(name, 0)[0]
            else:
                digest = xxh3_128_intdigest(entry)
                number = _PLAIN_STRING
                length = entry[head + 1]
                key = entry[head + 2 : head + 2 + length] if length < 0x40 else whole(entry, head + 1)[0]
            size = len(entry)
            position += size
            each(key, digest, expires_at, size, number)
        return self._take_one(data, position)

    def _take_one(self, data: bytes, position: int) -> int:
        """A set or a stream, whose end isn't known before it was walked through."""
        found = walked_heads().match(data, position)
        if found is None:
            return position
        expiry, code, name = found.groups()
        letter, walk = WALKED[code]
        try:
            walked = walk(data, found.end())
        except (IndexError, *DAMAGE):
            return position
        if walked is None:
            return position
        form, end = walked
        expires_at = None
        head = b""
        if expiry is not None:
            expires_at = int.from_bytes(expiry, "little", signed=True)
            head = data[position : position + EXPIRY_BYTES]
        digest = xxh3_128_intdigest(head + letter + name + form)
        self._each(whole(name, 0)[0], digest, expires_at, end - position, code[0])
        return end
