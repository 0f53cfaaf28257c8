"""The backup key: an age identity file that `inv` makes, of mode 0600.

One identity a line (`AGE-SECRET-KEY-1…`), the newest first; older ones stay so that older archives open.
`age -d -i FILE` reads the same file. The identities also give the keys that seal manifests: HKDF-SHA256
(RFC 5869) of the identity's text.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyrage import IdentityError, RecipientError, x25519

from autobot_ops.backup.errors import KeyFileUnusable
from autobot_ops.errors import ConfigurationError

KEY_FILE = "backup_key"
KEY_FILE_MODE = 0o600
_SEALS = b"autobot manifest seal"
_FIRST_LINES = (
    "# The key of this stack's backups, an age identity file. Whoever has it can read every archive,",
    "# and without it no archive can be opened: keep a copy on another machine.",
)


class BadRecipient(ConfigurationError):
    """A recipient of the settings is none of age's X25519 kind."""


@dataclass(frozen=True)
class SealKey:
    """What seals a manifest: a secret, named by the recipient (the public half) that it belongs to."""

    recipient: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class BackupKeys:
    """The identities of a key file, the newest first."""

    identities: tuple[x25519.Identity, ...] = field(repr=False)

    @property
    def recipient(self) -> str:
        """The public half of the newest identity: what new archives are encrypted to."""
        return str(self.identities[0].to_public())

    @property
    def seal_keys(self) -> dict[str, SealKey]:
        """Keys of seals by recipient; the first one seals new manifests."""
        keys = (_seal_key(identity) for identity in self.identities)
        return {key.recipient: key for key in keys}

    @property
    def seal_key(self) -> SealKey:
        """What seals new manifests."""
        return _seal_key(self.identities[0])


def load_keys(path: Path) -> BackupKeys:
    """The keys of a file. Raises KeyFileUnusable, also when others than its owner may read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("ascii")
    except FileNotFoundError as error:
        raise KeyFileUnusable(
            f"there is no backup key: {path.name}",
            hint=f"inv backup makes one for new archives; for existing ones put your copy to {path}.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileUnusable(
            f"the backup key can't be read: {error}", hint=f"Look at {path}, or put your copy there."
        ) from error
    if mode & 0o077:
        raise KeyFileUnusable(
            f"the backup key may be read by others (mode {mode:04o})", hint=f"Run: chmod 600 {path}"
        )
    lines = [line.strip() for line in text.splitlines()]
    try:
        identities = tuple(x25519.Identity.from_str(line) for line in lines if line and line[0] != "#")
    except IdentityError as error:
        raise KeyFileUnusable(
            "a line of the backup key is no age identity", hint=f"Look at {path}, or put your copy there."
        ) from error
    if not identities:
        raise KeyFileUnusable("the backup key file holds no key", hint=f"Put your copy to {path}.")
    return BackupKeys(identities)


def make_key_file(path: Path) -> BackupKeys:
    """Make the file with a new key; FileExistsError where there is one. Complete or not there at all."""
    new = path.with_name(path.name + ".new")
    _write(new, [*_FIRST_LINES, str(x25519.Identity.generate())])
    try:
        os.link(new, path)  # unlike a rename it never replaces a key that somebody made meanwhile
    finally:
        new.unlink()
    _sync_folder(path.parent)
    return load_keys(path)


def rotate_key_file(path: Path) -> BackupKeys:
    """Put a new key in front; the former ones stay, for the archives that were made with them."""
    former = load_keys(path)
    new = path.with_name(path.name + ".new")
    _write(new, [*_FIRST_LINES, *map(str, (x25519.Identity.generate(), *former.identities))])
    new.replace(path)
    _sync_folder(path.parent)
    return load_keys(path)


def parse_recipients(texts: Sequence[str]) -> list[x25519.Recipient]:
    """Recipients from their texts (`age1…`). Raises BadRecipient."""
    recipients = []
    for text in texts:
        try:
            recipients.append(x25519.Recipient.from_str(text))
        except RecipientError as error:
            raise BadRecipient(
                f"'{text}' is no recipient of age",
                hint="A recipient begins with age1; `age-keygen -y FILE` prints that of a key file.",
            ) from error
    return recipients


def _seal_key(identity: x25519.Identity) -> SealKey:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_SEALS).derive(str(identity).encode())
    return SealKey(str(identity.to_public()), derived)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_FILE_MODE)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
