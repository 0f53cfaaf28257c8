"""The fingerprint of a database as its server stores it: a third of the work of that by logical values.

Enough to see that nothing has changed between two streams of one server, as after MOVE, which hands a
value over as it is. It says *same* only where every key has the same name, type, serialised value and
expiry. It may say *different* of equal databases: where a hash table was rearranged, or a value packed or
compressed in another way, as by another process. Whoever must know compares values then.
Access frequency and idle time don't count.
"""

from __future__ import annotations

from xxhash import xxh3_128, xxh3_128_intdigest

from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import EXPIRY_MARK, Fingerprinter, Prints
from autobot_ops.rdb.grammar import stored_entries
from autobot_ops.rdb.layout import EXPIRES_MILLISECONDS
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.tokens import plain
from autobot_ops.rdb.window import Source


class StoredPrints:
    """Adds up one database; a Taker for the Reader. `began_at` is when the stream began, in milliseconds."""

    def __init__(self, began_at: int) -> None:
        self.prints = Fingerprinter(began_at)

    def add(self, entry: Entry) -> None:
        """Count in one entry; lets its value go by."""
        digest = stored_head(entry)
        entry.write_value(digest.update)
        self.prints.add(digest.intdigest(), entry.expires_at)

    def take(self, data: bytes, position: int) -> int:
        """Count in the usual entries that stand at `position`; where the first other thing begins."""
        entries = stored_entries().findall(data, position)
        if entries and not entries[-1]:
            entries.pop()
        lasting = [entry for entry in entries if entry[0] != EXPIRES_MILLISECONDS]
        self.prints.add_lasting(len(lasting), sum(map(xxh3_128_intdigest, lasting)))
        if len(lasting) < len(entries):
            add = self.prints.add
            for entry in entries:
                if entry[0] == EXPIRES_MILLISECONDS:
                    add(xxh3_128_intdigest(entry), int.from_bytes(entry[1:9], "little", signed=True))
        return position + sum(map(len, entries))


def stored_head(entry: Entry) -> xxh3_128:
    """The digest of what precedes an entry's value: expiry, type and name, without the other attributes."""
    expires_at = entry.expires_at
    expiry = b"" if expires_at is None else EXPIRY_MARK + expires_at.to_bytes(8, "little", signed=True)
    return xxh3_128(b"%b%c%b" % (expiry, entry.code, plain(entry.key)))


def read_stored_prints(source: Source) -> tuple[dict[int, Prints], int]:
    """Of every database of a stream, by number; and when it began (milliseconds). Raises as Reader."""
    reader = Reader(source)
    found: dict[int, StoredPrints] = {}

    def taker(number: int) -> StoredPrints:
        if number not in found:
            found[number] = StoredPrints(reader.began_at)
        return found[number]

    reader.taker = taker
    for entry in reader:
        taker(entry.database).add(entry)
    return {number: each.prints.prints for number, each in found.items()}, reader.began_at
