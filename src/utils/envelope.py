"""The form in which an encrypted value is stored. Pure: no Redis, no file, no clock.

    magic FF 41 45 | version 01 | length of id | id of the key | nonce, 12 bytes | ciphertext and tag

AES-256-GCM; FF never begins a text in UTF-8, so an envelope is told from a value of former times.
The associated data are everything before the nonce and the place of the value: database, kind of
key, key, field, each with its length. A value that is copied elsewhere therefore doesn't open there.
Not bound is the position within a list, and which of its own former values a place holds.

Nonces are random. NIST SP 800-38D allows 2^32 values under one key that way: at 100 writes a second
a key lasts 497 days, so rotate it yearly.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag

from src.utils.key_ring import DataKey, EncryptionFault

MAGIC = b"\xffAE"
VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16

_BEFORE_IDENTIFIER = len(MAGIC) + 2


class EnvelopeUnsupported(EncryptionFault):
    """An envelope of a later version, or a cut one."""


class ValueTampered(EncryptionFault):
    """The value doesn't open: changed, moved from another place, or sealed with another key."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs. The database is bound by name, because numbers change in a restore."""

    database: str
    kind: Literal["string", "hash", "list"]
    key: bytes
    field: bytes = b""

    def __str__(self) -> str:
        field = f" field '{self.field.decode(errors='replace')}'" if self.kind == "hash" else ""
        return f"{self.kind} '{self.key.decode(errors='replace')}'{field} in {self.database}"

    def associated_data(self, header: bytes) -> bytes:
        """Header and place as bytes that no other header and place give."""
        parts = (header, self.database.encode(), self.kind.encode(), self.key, self.field)
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def is_envelope(stored: bytes) -> bool:
    """Whether a stored value claims to be one."""
    return stored.startswith(MAGIC)


def seal(key: DataKey, place: Place, value: bytes) -> bytes:
    """The envelope of a value; 45 bytes longer with the ids that the key ring prescribes."""
    identifier = key.identifier.encode("ascii")
    header = MAGIC + bytes((VERSION, len(identifier))) + identifier
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + key.cipher.encrypt(nonce, value, place.associated_data(header))


def key_identifier_of(stored: bytes, place: Place) -> str:
    """The id of the key that an envelope was sealed with. Raises `EnvelopeUnsupported`."""
    return _header(stored, place)[_BEFORE_IDENTIFIER:].decode("ascii", errors="replace")


def open_envelope(key: DataKey, place: Place, stored: bytes) -> bytes:
    """The value. Raises `ValueTampered`, and `EnvelopeUnsupported` for what isn't a whole envelope."""
    header = _header(stored, place)
    body = len(header) + NONCE_BYTES
    try:
        return key.cipher.decrypt(stored[len(header) : body], stored[body:], place.associated_data(header))
    except InvalidTag as error:
        raise ValueTampered(
            f"the {place} does not open with data key {key.identifier}",
            hint="It was changed or moved from another key; restore it from a backup or delete it.",
        ) from error


def _header(stored: bytes, place: Place) -> bytes:
    if not is_envelope(stored) or len(stored) < _BEFORE_IDENTIFIER:
        raise EnvelopeUnsupported(f"the {place} is not a whole envelope", hint="Restore it from a backup.")
    if stored[len(MAGIC)] != VERSION:
        raise EnvelopeUnsupported(
            f"the {place} has an envelope of version {stored[len(MAGIC)]}, and this program knows {VERSION}",
            hint="Run the version of AutoBot that wrote it, or a later one.",
        )
    end = _BEFORE_IDENTIFIER + stored[_BEFORE_IDENTIFIER - 1]
    if len(stored) < end + NONCE_BYTES + TAG_BYTES:
        raise EnvelopeUnsupported(f"the {place} is not a whole envelope", hint="Restore it from a backup.")
    return stored[:end]
