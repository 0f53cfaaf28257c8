"""Every way in which an archive can be unusable, by name.

The families: what an archive *is* can be wrong (`DamagedArchive`), it can't be *opened* with what
is at hand (`KeyFileUnusable`, `WrongKey`), its *place* doesn't take or give bytes (`StorageFailed`).
"""

from __future__ import annotations

from autobot_ops.errors import ConfigurationError, RefusedForSafety, ServiceUnreachable

TAKE_ANOTHER = "Take another one: inv backup.list. This one is kept as it is for you to look at."


class DamagedArchive(RefusedForSafety):
    """An archive isn't what was written; nothing of it may be used."""

    def __init__(self, message: str, *, hint: str = TAKE_ANOTHER) -> None:
        super().__init__(message, hint=hint)


class DamagedManifest(DamagedArchive):
    """The manifest can't be read, or says what no manifest says."""


class AlteredManifest(DamagedArchive):
    """The manifest's seal doesn't fit its text: somebody or something changed it."""


class UnknownFormat(RefusedForSafety):
    """A manifest of a later format than this tool's."""

    def __init__(self, found: object) -> None:
        super().__init__(
            f"archive format {found!r} is unknown to this version",
            hint="Use the version that wrote the archive.",
        )


class DamagedPart(DamagedArchive):
    """A file of an archive has another size or checksum than its manifest says, or can't be decoded."""


class KeyFileUnusable(ConfigurationError):
    """The file of the backup key is missing, open to others, or holds no key."""


class WrongKey(RefusedForSafety):
    """None of the keys at hand opens the archive, or made its seal."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"no key at hand opens {what}",
            hint="Put the key that was in use then into the backup key file, as one more line; "
            "inv backup.key says where the file is.",
        )


class StorageFailed(ServiceUnreachable):
    """The place where archives are kept is full, not there, or doesn't answer."""


class UnknownArchive(ConfigurationError):
    """No complete archive of this name is at the place."""

    def __init__(self, archive_id: str, place: str) -> None:
        super().__init__(f"there is no archive {archive_id} at {place}", hint="inv backup.list shows all.")


class ArchiveExists(RefusedForSafety):
    """An archive of this name is there already; archives are never written over."""


class ArchiveInUse(RefusedForSafety):
    """Somebody reads the archive, so it isn't removed."""


class BackupRunning(RefusedForSafety):
    """Another process writes archives to the same place."""
