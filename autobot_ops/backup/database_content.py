"""What an RDB with one database adds up to, and how that differs from what should be there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.backup.errors import DamagedPart
from autobot_ops.backup.manifest import DatabasePart
from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests
from autobot_ops.rdb.reader import Reader
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


@dataclass(frozen=True)
class ReadDatabase:
    """What was read: all of it, and without the keys that expire until a certain time."""

    all: DatabaseContent
    lasting: DatabaseContent


def read_database(source: Source, part: DatabasePart, *, lasting_from: int) -> ReadDatabase:
    """Read an RDB to its end. `lasting_from`: keys whose expiry (ms) is earlier don't count as lasting.

    Raises DamagedPart where another database than the part's holds keys, and what Reader raises.
    """
    reader = Reader(source)
    whole, lasting = Fingerprinter(0), Fingerprinter(0)
    expiring = lasting_expiring = 0
    digests: KeyDigests | None = None
    for entry in reader:
        if digests is None:
            digests = KeyDigests(reader.dialect)
        if entry.database != part.number:
            raise DamagedPart(f"{part.file} holds keys of database {entry.database}, not of {part.number}")
        expires_at = entry.expires_at
        digest = digests.of(entry)
        whole.add(digest, None)
        if expires_at is None:
            lasting.add(digest, None)
        else:
            expiring += 1
            if expires_at >= lasting_from:
                lasting_expiring += 1
                lasting.add(digest, None)
    return ReadDatabase(
        _content(whole.fingerprint, expiring), _content(lasting.fingerprint, lasting_expiring)
    )


def _content(fingerprint: Fingerprint, expiring: int) -> DatabaseContent:
    return DatabaseContent(fingerprint.keys, expiring, str(fingerprint))
