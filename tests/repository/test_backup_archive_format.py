"""The format of archives is documented as the code has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from autobot_ops.backup import bucket, local_place, manifest, marks, places
from autobot_ops.backup.key_file import KEY_FILE


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs/formats/backup-archive.md").read_text()


def documented_fields(text: str) -> set[tuple[str, str]]:
    section = text[text.index("## The manifest") : text.index("`seal` stands")]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {(row[0].strip().strip("`"), row[1].strip()) for row in rows}


def test_every_field_of_a_manifest_is_documented(text: str) -> None:
    shared = set(manifest.FilePart.model_fields)
    models: dict[str, type[BaseModel]] = {
        "manifest": manifest.Manifest,
        "part": manifest.FilePart,
        "database": manifest.DatabasePart,
        "server": manifest.Server,
        "postgres": manifest.PostgresPart,
        "volume": manifest.VolumePart,
        "rebuilt volume": manifest.RebuiltVolume,
    }
    expected = {
        (field, name)
        for name, model in models.items()
        for field in model.model_fields
        if name == "part" or not issubclass(model, manifest.FilePart) or field not in shared
    }
    assert documented_fields(text) == expected


def test_the_format_is_that_of_the_code(text: str) -> None:
    assert f"| `format` | manifest | {manifest.FORMAT} |" in text


def test_every_field_of_a_mark_is_documented(text: str) -> None:
    sentence = text[text.index("`verification.json` has") :].partition(". ")[0]
    for field in (*marks.VerificationMark.model_fields, "sha256"):
        assert f"`{field}`" in sentence


def test_every_name_on_the_disk_is_documented(text: str) -> None:
    on_disk = (local_place.LOCK_FILE, local_place.PARTIAL_ENDING, bucket.LOCK_FILE, bucket.READERS_FILE)
    for name in (manifest.MANIFEST_FILE, places.VERIFICATION_FILE, KEY_FILE, *on_disk):
        assert name in text
