"""Every key of a stream with its digests, quickly: for who decides key by key, as a migration does.

As `counting`, usual entries are taken straight from the bytes, and handed over a buffer's worth at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from xxhash import xxh3_128_intdigest

from autobot_ops.rdb.content import whole
from autobot_ops.rdb.counting import DAMAGE, EXPIRY_BYTES, WALKED, usual_form
from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import KeyDigests
from autobot_ops.rdb.grammar import usual_entries, walked_heads
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS
from autobot_ops.rdb.stored_prints import stored_head

_PLAIN_STRING = 0

Row = tuple[bytes, int, int, int | None, int, int]
"""A key; its digest as `KeyDigests` gives it, and as `stored_prints` does; its expiry in milliseconds; the
size of its entry in the stream, in bytes; the code of its type.
"""
TakeRows = Callable[[list[Row]], object]


def row_of(entry: Entry, digests: KeyDigests) -> Row:
    """The row of an entry that the reader met; reads its value."""
    key, code, expires_at = entry.key, entry.code, entry.expires_at
    stored = stored_head(entry)
    with entry.copied_to(stored.update):
        digest = digests.of(entry)
    return key, digest, stored.intdigest(), expires_at, entry.finish(), code


class KeyListing:
    """Hands the keys of one database to somebody, in the stream's order; a Taker for the Reader."""

    def __init__(self, digests: KeyDigests, take_rows: TakeRows) -> None:
        self._digests = digests
        self._take_rows = take_rows

    def add(self, entry: Entry) -> None:
        """An entry that the reader met; reads its value."""
        self._take_rows([row_of(entry, self._digests)])

    def take(self, data: bytes, position: int) -> int:
        """Hand over the usual entries that stand at `position`; where the first other thing begins."""
        rows: list[Row] = []
        began = -1
        while position > began:
            began = position
            position = _walk_one(data, _find_many(data, position, rows), rows)
        if rows:
            self._take_rows(rows)
        return position


def _find_many(data: bytes, position: int, rows: list[Row]) -> int:
    add = rows.append
    for entry, list_code, code, name, value in usual_entries().findall(data, position):
        if not entry:
            break
        expires_at = None
        head = 0
        if entry[0] == EXPIRES_MILLISECONDS:
            expires_at = int.from_bytes(entry[1:EXPIRY_BYTES], "little", signed=True)
            head = EXPIRY_BYTES
        stored = xxh3_128_intdigest(entry)
        size = len(entry)
        if name:
            kind = list_code or code
            form = usual_form(kind, name, value)
            if form is None:
                break
            digest = xxh3_128_intdigest(entry[:head] + form if head else form)
            key = name[1:] if name[0] < 0x40 else whole(name, 0)[0]
            add((key, digest, stored, expires_at, size, kind[0]))
        else:
            # A string that is stored uncompressed: these bytes are its canonical form.
            length = entry[head + 1]
            key = entry[head + 2 : head + 2 + length] if length < 0x40 else whole(entry, head + 1)[0]
            add((key, stored, stored, expires_at, size, _PLAIN_STRING))
        position += size
    return position


def _walk_one(data: bytes, position: int, rows: list[Row]) -> int:
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
    stored = xxh3_128_intdigest(data[position:end])
    rows.append((whole(name, 0)[0], digest, stored, expires_at, end - position, code[0]))
    return end
