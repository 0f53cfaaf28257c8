"""What a backup says of one database: its counts, its largest keys, its fingerprint.

Nine of ten keys are small and of usual encodings: those are taken straight from the bytes, a buffer's worth
at a time, without being made entries one by one.
"""

from __future__ import annotations

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.canonical import plain_form
from autobot_ops.rdb.content import whole
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KIND_LETTERS, Fingerprinter, KeyDigests
from autobot_ops.rdb.grammar import usual_entries
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS, REDIS
from autobot_ops.rdb.quick_forms import PACKED_FORMS
from autobot_ops.rdb.skipping import BadEncoding
from autobot_ops.rdb.summary import LargeKey, Summary
from autobot_ops.rdb.tokens import BadPacking

# The types of usual entries are the same in all dialects.
_PACKED = {
    bytes((code,)): (KIND_LETTERS[REDIS.types[code].kind], form) for code, form in PACKED_FORMS.items()
}
_EXPIRY_BYTES = 9


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
        began = position
        keys = lasting = lasting_total = 0
        least = self.summary.least
        for entry, list_code, code, key, value in usual_entries().findall(data, position):
            if not entry:
                break
            if not key:
                # A string that is stored uncompressed: these bytes are its canonical form.
                digest = xxh3_128_intdigest(entry)
            else:
                form = _form(list_code or code, key, value)
                if form is None:
                    break
                digest = xxh3_128_intdigest(
                    form if entry[0] != EXPIRES_MILLISECONDS else entry[:_EXPIRY_BYTES] + form
                )
            keys += 1
            size = len(entry)
            position += size
            if entry[0] != EXPIRES_MILLISECONDS:
                lasting += 1
                lasting_total += digest
            else:
                self.prints.add(digest, int.from_bytes(entry[1:_EXPIRY_BYTES], "little", signed=True))
            if size > least:
                self.summary.keep(_large_key(entry))
                least = self.summary.least
        self.prints.add_lasting(lasting, lasting_total)
        self.summary.keys += keys
        self.summary.keys_with_expiry += keys - lasting
        self.summary.size += position - began
        return position


def _form(code: bytes, key: bytes, value: bytes) -> bytes | None:
    """Kind, key and value, as they go into the digest; None where the value isn't usual, or damaged."""
    try:
        if code == b"\x00":
            return b"\x00" + key + plain_form(value)
        letter, form_of = _PACKED[code]
        form = form_of(whole(value, 0)[0])
    except (BadPacking, BadEncoding, OverflowError):
        return None
    return None if form is None else letter + key + form


def _large_key(entry: bytes) -> LargeKey:
    at = _EXPIRY_BYTES if entry[0] == EXPIRES_MILLISECONDS else 0
    return LargeKey(len(entry), whole(entry, at + 1)[0], REDIS.types[entry[at]].kind)
