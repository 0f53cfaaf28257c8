"""What a backup says of one database: its counts, its largest keys, its fingerprint.

Nine of ten keys are small and of usual encodings: those are taken straight from the bytes, a buffer's worth
at a time, without being made entries one by one.
"""

from __future__ import annotations

import struct

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.content import whole
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KIND_LETTERS, Fingerprinter, KeyDigests
from autobot_ops.rdb.grammar import usual_entries, walked_heads
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS, REDIS
from autobot_ops.rdb.quick_forms import PACKED_FORMS, WALKS
from autobot_ops.rdb.skipping import BadEncoding
from autobot_ops.rdb.summary import LargeKey, Summary
from autobot_ops.rdb.tokens import BadPacking
from autobot_ops.rdb.tokens import plain as plain_string

# The types of usual entries are the same in all dialects.
PACKED = {bytes((code,)): (KIND_LETTERS[REDIS.types[code].kind], form) for code, form in PACKED_FORMS.items()}
WALKED = {bytes((code,)): (KIND_LETTERS[REDIS.types[code].kind], walk) for code, walk in WALKS.items()}
DAMAGE = (BadPacking, BadEncoding, OverflowError, struct.error)
EXPIRY_BYTES = 9


class DatabaseCount:
    """Adds up one database. `began_at` is when the stream began, in milliseconds."""

    def __init__(self, digests: KeyDigests, began_at: int) -> None:
        self._digests = digests
        self.summary = Summary()
        self.prints = Fingerprinter(began_at)

    def add(self, entry: Entry) -> None:
        """Count in one entry; reads its value."""
        self.prints.add(self._digests.of(entry), entry.expires_at)
        self.summary.add(entry)

    def take(self, data: bytes, position: int) -> int:
        """Count in the usual entries that stand at `position`; where the first other thing begins.

        What looks damaged is left alone, for the reader to name.
        """
        return self._take_one(data, self._take_many(data, position))

    def _take_many(self, data: bytes, position: int) -> int:
        began = position
        keys = expiring = total = 0
        least = self.summary.least
        for entry, list_code, code, key, value in usual_entries().findall(data, position):
            if not entry:
                break
            expires = entry[0] == EXPIRES_MILLISECONDS
            if not key:
                # A string that is stored uncompressed: these bytes are its canonical form.
                digest = xxh3_128_intdigest(entry)
            else:
                form = usual_form(list_code or code, key, value)
                if form is None:
                    break
                digest = xxh3_128_intdigest(entry[:EXPIRY_BYTES] + form if expires else form)
            if expires:
                expiring += 1
                self.prints.add(digest, int.from_bytes(entry[1:EXPIRY_BYTES], "little", signed=True))
            else:
                total += digest
            keys += 1
            size = len(entry)
            position += size
            if size > least:
                self.summary.keep(_large_key(entry, size))
                least = self.summary.least
        self.prints.add_lasting(keys - expiring, total)
        self.summary.keys += keys
        self.summary.keys_with_expiry += expiring
        self.summary.size += position - began
        return position

    def _take_one(self, data: bytes, position: int) -> int:
        """A set or a stream, whose end isn't known before it was walked through."""
        head = walked_heads().match(data, position)
        if head is None:
            return position
        expiry, code, key = head.groups()
        letter, walk = WALKED[code]
        try:
            found = walk(data, head.end())
        except (IndexError, *DAMAGE):
            return position
        if found is None:
            return position
        form, end = found
        if expiry is None:
            self.prints.add_lasting(1, xxh3_128_intdigest(letter + key + form))
        else:
            digest = xxh3_128_intdigest(data[position : position + EXPIRY_BYTES] + letter + key + form)
            self.prints.add(digest, int.from_bytes(expiry, "little", signed=True))
            self.summary.keys_with_expiry += 1
        size = end - position
        self.summary.keys += 1
        self.summary.size += size
        if size > self.summary.least:
            self.summary.keep(_large_key(data[position : head.end()], size))
        return end


def usual_form(code: bytes, key: bytes, value: bytes) -> bytes | None:
    """Kind, key and value, as they go into the digest; None where the value isn't usual, or damaged."""
    try:
        plain = whole(value, 0)[0]
        if code == b"\x00":
            return code + key + plain_string(plain)
        letter, form_of = PACKED[code]
        form = form_of(plain)
    except DAMAGE:
        return None
    return None if form is None else letter + key + form


def _large_key(entry: bytes, size: int) -> LargeKey:
    at = EXPIRY_BYTES if entry[0] == EXPIRES_MILLISECONDS else 0
    return LargeKey(size, whole(entry, at + 1)[0], REDIS.types[entry[at]].kind)
