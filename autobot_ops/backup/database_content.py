"""What an RDB with one database adds up to, and how that differs from what should be there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.backup.errors import DamagedPart
from autobot_ops.backup.manifest import DatabasePart
from autobot_ops.rdb.fingerprint import Fingerprint
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.window import Source


@dataclass(frozen=True)
class DatabaseContent:
    """Keys, and those of them that expire; `fingerprint` as in autobot_ops.rdb."""

    keys: int
    keys_with_expiry: int
    fingerprint: str

    @classmethod
    def of(cls, part: DatabasePart) -> DatabaseContent:
        """What the manifest says."""
        return cls(part.keys, part.keys_with_expiry, part.fingerprint)

    def difference(self, expected: DatabaseContent) -> str:
        """In words; empty where there is none."""
        if self.keys != expected.keys:
            return f"{self.keys} keys instead of {expected.keys}"
        if self.keys_with_expiry != expected.keys_with_expiry:
            return f"{self.keys_with_expiry} keys with expiry instead of {expected.keys_with_expiry}"
        if self.fingerprint != expected.fingerprint:
            return "other content"
        return ""


def read_database(source: Source, number: int, *, what: str) -> DatabaseContent:
    """Read an RDB to its end; `what` is for errors.

    Raises DamagedPart where another database than this one holds keys, and what autobot_ops.rdb raises.
    """
    counts = Splitter(source, lambda _: None).run_counting()
    count = counts.pop(number, None)
    if counts:
        others = ", ".join(map(str, sorted(counts)))
        raise DamagedPart(f"{what} holds keys of database {others}, not of {number} alone")
    if count is None:
        return DatabaseContent(0, 0, str(Fingerprint()))
    summary = count.summary
    return DatabaseContent(summary.keys, summary.keys_with_expiry, str(count.prints.fingerprint))
