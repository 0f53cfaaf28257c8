"""A manifest says what was written, or isn't believed."""

from __future__ import annotations

import json
import random

import pytest
from pyrage import x25519

from autobot_ops.backup.errors import (
    AlteredManifest,
    DamagedArchive,
    DamagedManifest,
    UnknownFormat,
    WrongKey,
)
from autobot_ops.backup.key_file import BackupKeys
from autobot_ops.backup.manifest import Manifest, archive_id, is_archive_id, parse_manifest, render_manifest
from autobot_ops.errors import RefusedForSafety
from tests.unit.backup.manifests import TAKEN_AT, manifest

KEYS = BackupKeys((x25519.Identity.generate(), x25519.Identity.generate()))
TEXT = render_manifest(manifest(), KEYS.seal_key)
NAME = manifest().id


def parse(text: bytes, keys: BackupKeys = KEYS) -> Manifest:
    return parse_manifest(text, keys.seal_keys, name=NAME)


def test_says_what_was_written() -> None:
    assert parse(TEXT) == manifest()
    assert parse_manifest(TEXT, None, name=NAME) == manifest()


def test_an_older_key_proves_its_seal() -> None:
    older = BackupKeys(KEYS.identities[1:])
    assert parse(render_manifest(manifest(), older.seal_key)) == manifest()


def test_another_key_proves_nothing() -> None:
    with pytest.raises(WrongKey):
        parse(TEXT, BackupKeys((x25519.Identity.generate(),)))


@pytest.mark.parametrize(
    ("member", "value"),
    [("tier", "optional"), ("complete", False), ("databases", []), ("format", 2), ("extra", 1)],
)
def test_an_edited_member_is_refused(member: str, value: object) -> None:
    document = json.loads(TEXT)
    document[member] = value
    with pytest.raises(AlteredManifest):
        parse(json.dumps(document).encode())


def test_an_edited_hash_is_refused() -> None:
    with pytest.raises(AlteredManifest):
        parse(TEXT.replace(b'"keys": 2', b'"keys": 3', 1))


def test_a_manifest_in_another_folder_is_refused() -> None:
    with pytest.raises(AlteredManifest):
        parse_manifest(TEXT, KEYS.seal_keys, name=archive_id(TAKEN_AT, "optional"))


def test_a_later_format_is_refused_by_name() -> None:
    later = manifest().model_copy(update={"format": 2})
    with pytest.raises(UnknownFormat, match="2"):
        parse(render_manifest(later, KEYS.seal_key))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'{"seal": 1}', b"\xff", b'{"seal": {}}', b"[" * 100_000]
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(DamagedManifest):
        parse(text)


def test_a_path_out_of_the_archive_is_refused() -> None:
    part = manifest().databases[0].model_copy(update={"file": "../../etc/passwd"})
    text = render_manifest(manifest().model_copy(update={"databases": (part,)}), KEYS.seal_key)
    with pytest.raises(DamagedManifest, match="file"):
        parse(text)


def test_a_flipped_bit_is_refused_or_changes_nothing() -> None:
    for position in random.Random(1).sample(range(len(TEXT) * 8), 600):
        flipped = bytearray(TEXT)
        flipped[position // 8] ^= 1 << position % 8
        try:
            found = parse(bytes(flipped))
        except (DamagedArchive, RefusedForSafety):
            continue
        assert found == manifest()


def test_identifiers_sort_by_time_and_name_the_tier() -> None:
    assert archive_id(TAKEN_AT, "critical") == "20261123T041820.123Z-critical"
    assert is_archive_id("20261123T041820.123Z-critical")
    assert not is_archive_id("20261123T041820.123Z-critical.partial")
    assert not is_archive_id("notes")
