"""What a backup says of one database: its counts, its largest keys, its fingerprint."""

from __future__ import annotations

from autobot_ops.rdb.entry import Entry
from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.summary import Summary


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
