"""The data keys that values are encrypted with, read from a secret file and read again when it changes.

One key a line, `id:base64 of 32 bytes`, the newest first; blank lines and lines with `#` are skipped.
The first key encrypts what is written from now on, every key decrypts. A key's id is the beginning
of its SHA-256, so a line that is cut, mistyped or half written is noticed before it encrypts anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from src.errors import ConfigurationInvalid, RuntimeFault

logger = logging.getLogger(__name__)

DEFAULT_DATA_KEYS_FILE = "/run/secrets/data_keys"
KEY_BYTES = 32
ID_DIGITS = 12

_HINT = "Run `inv config.init` on the host, and point DATA_KEYS_FILE at the file."


class KeyRingMissing(ConfigurationInvalid):
    """There is no file with data keys, or it can't be read."""


class KeyRingInvalid(ConfigurationInvalid):
    """The file holds something that isn't a key ring. The message never holds a key."""


class EncryptionFault(RuntimeFault):
    """Base of what can be wrong with one stored value; it is never answered with garbage."""


class UnknownDataKey(EncryptionFault):
    """A value was encrypted with a key that isn't in the ring."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One key of AES-256-GCM, ready for use."""

    identifier: str
    cipher: AESGCM = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key by its id; `writing` is the one for new values."""

    writing: DataKey
    keys: Mapping[str, DataKey]


def key_identifier(key: bytes) -> str:
    """The id that a key must stand under: the first 12 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:ID_DIGITS]


def parse_key_ring(text: str, source: str = "the key ring") -> KeyRing:
    """The ring that a text describes. Raises `KeyRingInvalid`, naming the line and nothing of its key."""
    keys: dict[str, DataKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        identifier, _, encoded = content.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES or key_identifier(key) != identifier:
            # `from None`: binascii's error would carry the line into a traceback.
            raise KeyRingInvalid(
                f"{source}, line {number}, is not `id:base64` of a {KEY_BYTES}-byte key with its own id",
                hint="Restore the file from its copy: values can't be read without their key.",
            ) from None
        if identifier in keys:
            raise KeyRingInvalid(f"{source}, line {number}, repeats the key {identifier}", hint="Remove it.")
        keys[identifier] = DataKey(identifier, AESGCM(key))
    if not keys:
        raise KeyRingInvalid(f"{source} holds no key", hint=_HINT)
    return KeyRing(next(iter(keys.values())), keys)


class KeyRingFile:
    """The ring in a file, as it is now. Safe across threads.

    A file that becomes unreadable or wrong while keys are known is logged once and the known keys
    stay in use: a rotation that goes wrong costs no request.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._ring: KeyRing | None = None
        self._seen: tuple[int, ...] | None = None

    def ring(self) -> KeyRing:
        """The ring; costs one `stat` while the file is unchanged.

        Raises `KeyRingMissing` or `KeyRingInvalid` as long as no ring could ever be read.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            return self._keep(None, KeyRingMissing(self._missing(error), hint=_HINT))
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._ring is not None and state == self._seen:
            return self._ring
        with self._lock:
            return self._read(state)

    def key(self, identifier: str) -> DataKey:
        """The key with this id. Raises `UnknownDataKey` after a second look at the file."""
        found = self.ring().keys.get(identifier)
        if found is None:
            # Two changes within one tick of the file system's clock look like one.
            self._seen = None
            found = self.ring().keys.get(identifier)
        if found is None:
            raise UnknownDataKey(
                f"the data key {identifier} is not in {self.path}",
                hint="Put the key back from a copy of the file; a rotation must keep the former keys.",
            )
        return found

    def _read(self, state: tuple[int, ...]) -> KeyRing:
        try:
            ring = parse_key_ring(self.path.read_text(encoding="utf-8"), str(self.path))
        except OSError as error:
            return self._keep(state, KeyRingMissing(self._missing(error), hint=_HINT))
        except UnicodeDecodeError:
            return self._keep(state, KeyRingInvalid(f"{self.path} is not text", hint=_HINT))
        except KeyRingInvalid as error:
            return self._keep(state, error)
        if self._ring is not None and ring.writing != self._ring.writing:
            logger.info("values are now encrypted with data key %s", ring.writing.identifier)
        self._ring, self._seen = ring, state
        return ring

    def _keep(self, state: tuple[int, ...] | None, problem: ConfigurationInvalid) -> KeyRing:
        if self._ring is None:
            raise problem
        if self._seen != state:
            self._seen = state
            logger.error("kept the former data keys: %s", problem)
        return self._ring

    def _missing(self, error: OSError) -> str:
        return f"cannot read the data keys in {self.path}: {error.strerror}"
