"""The mark that an archive was verified: `verification.json` beside it.

It belongs to one manifest at one place and says when and how deep. It isn't sealed, and nothing is
believed because of it: a restore checks again. Retention and lists go by it.
"""

from __future__ import annotations

import hashlib

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autobot_ops.backup.errors import DamagedPart
from autobot_ops.backup.manifest import MANIFEST_FILE
from autobot_ops.backup.places import VERIFICATION_FILE, Place


class VerificationMark(BaseModel):
    """When an archive was verified. `deep`: every database was loaded into a server and compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: str
    verified_at: AwareDatetime
    deep: bool
    manifest_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def write_mark(place: Place, mark: VerificationMark) -> None:
    """Put the mark beside its archive."""
    place.write_verification(mark.archive, mark.model_dump_json(indent=2).encode() + b"\n")


def read_mark(place: Place, archive_id: str, manifest_text: bytes | None = None) -> VerificationMark | None:
    """The mark of an archive; None where there is none, or one that isn't this manifest's."""
    try:
        text = place.read(archive_id, VERIFICATION_FILE)
        manifest_text = place.read(archive_id, MANIFEST_FILE) if manifest_text is None else manifest_text
        mark = VerificationMark.model_validate_json(text)
    except (DamagedPart, ValidationError):
        return None
    fits = mark.archive == archive_id and mark.manifest_sha256 == sha256_of(manifest_text)
    return mark if fits else None


def sha256_of(data: bytes) -> str:
    """Of a small file, in hex."""
    return hashlib.sha256(data).hexdigest()
