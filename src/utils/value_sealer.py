"""Seals and opens the values of one database, and decides what happens to values that aren't sealed."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from src.utils.envelope import Place, is_envelope, key_identifier_of, open_envelope, seal
from src.utils.key_ring import EncryptionFault, KeyRingFile

logger = logging.getLogger(__name__)


class ValueNotEncrypted(EncryptionFault):
    """A value in an encrypted database is plain text, and plain text isn't allowed."""


@dataclass(slots=True)
class SealStatistics:
    """Values since the start; `plaintext` were read as they stood. Threads may lose a count."""

    sealed: int = 0
    opened: int = 0
    plaintext: int = 0


class ValueSealer:
    """For one database. With `allow_plaintext`, values from before encryption can be read.

    That is for a migration: while it is on, whoever can write to the server can plant plain values.
    It ends when `statistics.plaintext` stays where it is for a whole time to live.
    """

    def __init__(self, database: str, ring: KeyRingFile, *, allow_plaintext: bool = False) -> None:
        self.database = database
        self.ring = ring
        self.allow_plaintext = allow_plaintext
        self.statistics = SealStatistics()

    def seal(self, place: Place, value: bytes) -> bytes:
        """The envelope to be stored. Raises `KeyRingMissing`, `KeyRingInvalid`."""
        stored = seal(self.ring.ring().writing, place, value)
        self.statistics.sealed += 1
        return stored

    def open(self, place: Place, stored: bytes) -> bytes:
        """The value in an envelope, or a plain one where that is allowed.

        Raises `ValueNotEncrypted`, `UnknownDataKey`, `ValueTampered`, `EnvelopeUnsupported`.
        """
        if not is_envelope(stored):
            return self._plaintext(place, stored)
        value = open_envelope(self.ring.key(key_identifier_of(stored, place)), place, stored)
        self.statistics.opened += 1
        return value

    def _plaintext(self, place: Place, stored: bytes) -> bytes:
        if not self.allow_plaintext:
            raise ValueNotEncrypted(
                f"the {place} is not encrypted",
                hint="Set DATA_KEYS_ALLOW_PLAINTEXT=1 while values from before encryption remain.",
            )
        if not self.statistics.plaintext:
            logger.warning("%s still holds values that are not encrypted", self.database)
        self.statistics.plaintext += 1
        return stored
