"""The mark that an archive was verified: `verification.json` beside it.

It belongs to one manifest at one place and says when and how deep. A checksum tells it from a damaged one,
but it isn't sealed, and no restore believes it: retention and lists go by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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
    document = mark.model_dump(mode="json")
    document["sha256"] = _checksum(document)
    place.write_verification(mark.archive, (json.dumps(document, indent=2) + "\n").encode())


def read_mark(place: Place, archive_id: str, manifest_text: bytes | None = None) -> VerificationMark | None:
    """The mark of an archive; None where there is none, a damaged one, or one of another manifest."""
    try:
        document = json.loads(place.read(archive_id, VERIFICATION_FILE))
        manifest_text = place.read(archive_id, MANIFEST_FILE) if manifest_text is None else manifest_text
        whole = document.pop("sha256") == _checksum(document)
        mark = VerificationMark.model_validate(document)
    except (DamagedPart, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    fits = whole and mark.archive == archive_id and mark.manifest_sha256 == sha256_of(manifest_text)
    return mark if fits else None


def _checksum(document: Mapping[str, object]) -> str:
    return sha256_of(json.dumps(document, sort_keys=True).encode())


def sha256_of(data: bytes) -> str:
    """Of a small file, in hex."""
    return hashlib.sha256(data).hexdigest()
