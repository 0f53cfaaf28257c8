"""Reading an archive's database to the end before anything is written, and a live one to compare.

Afterwards it is proven that the file is what the manifest says, and known what a server must hold
when the file has been loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.rdb.fingerprint import Fingerprint, Fingerprinter, KeyDigests, surviving
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.restore.archive import ArchivePart
from autobot_ops.restore.errors import UNTOUCHED, ContentDiffers
from autobot_ops.restore.loading import Wanted


@dataclass(frozen=True)
class Survey:
    """What a file holds. `expired` are those of the wanted keys whose time was over at `taken_at` (ms)."""

    keys: int
    wanted: int
    expired: int
    bytes: int
    taken_at: int
    content: Fingerprinter


def survey_part(part: ArchivePart, taken_at: int, *, wanted: Wanted | None = None) -> Survey:
    """Read a part and compare it with its manifest. `taken_at` is the server's time in milliseconds.

    Raises DamagedRdb and what `part.open` raises, and ContentDiffers where the file is sound and not the
    one that the manifest describes.
    """
    whole, content = Fingerprint(), Fingerprinter(taken_at)
    everything = Fingerprinter(taken_at) if wanted is not None else content
    keys = with_expiry = wanted_keys = expired = 0
    with part.open() as source:
        reader = Reader(source)
        digests = None
        for entry in reader:
            digests = digests or KeyDigests(reader.dialect)
            digest, expires_at = digests.of(entry), entry.expires_at
            keys += 1
            with_expiry += expires_at is not None
            everything.add(digest, expires_at)
            if wanted is not None:
                if not wanted(entry.key):
                    continue
                content.add(digest, expires_at)
            wanted_keys += 1
            expired += expires_at is not None and expires_at <= taken_at
        size = reader.window.offset
    whole = everything.fingerprint
    figures = part.figures
    found = (keys, with_expiry, str(whole))
    if found != (figures.keys, figures.keys_with_expiry, figures.fingerprint):
        raise ContentDiffers(
            f"'{figures.name}' of {part.archive} holds {keys} keys ({with_expiry} with expiry, {whole}), "
            f"its manifest says {figures.keys} ({figures.keys_with_expiry}, {figures.fingerprint})",
            hint=f"{UNTOUCHED} Take another archive: inv backup.list.",
        )
    return Survey(keys, wanted_keys, expired, size, taken_at, content)


def fingerprint_database(stream: Endpoint, number: int, began_at: int) -> Fingerprinter:
    """What a database of a running server holds, by its replication stream: no command on its main thread."""
    content = Fingerprinter(began_at)
    with ReplicationStream(stream) as source:
        reader = Reader(source)
        digests = None
        for entry in reader:
            if entry.database != number:
                continue
            digests = digests or KeyDigests(reader.dialect)
            content.add(digests.of(entry), entry.expires_at)
    return content


def compare(expected: Fingerprinter, found: Fingerprinter, at: int, *, what: str) -> Fingerprint:
    """Compare two contents, leaving out on both sides what could have expired until `at` (milliseconds).

    `found` was read at or before `at`. What agreed; ContentDiffers where they don't.
    """
    left = surviving(expected.fingerprint, expected.expiring, at)
    right = surviving(found.fingerprint, found.expiring, at)
    if left != right:
        raise ContentDiffers(
            f"{what} holds {right.keys} keys ({right}) and should hold {left.keys} ({left})",
            hint=f"{UNTOUCHED} What was loaded was thrown away. Did anybody write to the staging database?",
        )
    return right
