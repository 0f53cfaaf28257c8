"""The backup key: made once, never open to others, never lost by a rotation."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.backup.errors import KeyFileUnusable
from autobot_ops.backup.key_file import (
    BadRecipient,
    load_keys,
    make_key_file,
    parse_recipients,
    rotate_key_file,
)


def test_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "backup_key"
    keys = make_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path).recipient == keys.recipient
    assert list(path.parent.iterdir()) == [path]


def test_never_replaces_a_key(tmp_path: Path) -> None:
    path = tmp_path / "backup_key"
    first = make_key_file(path)
    with pytest.raises(FileExistsError):
        make_key_file(path)
    assert load_keys(path).recipient == first.recipient
    assert list(tmp_path.iterdir()) == [path]


def test_a_rotation_keeps_the_former_keys(tmp_path: Path) -> None:
    path = tmp_path / "backup_key"
    first = make_key_file(path)
    second = rotate_key_file(path)
    assert second.recipient != first.recipient
    assert list(second.seal_keys) == [second.recipient, first.recipient]
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "backup_key"
    make_key_file(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileUnusable, match="0640"):
        load_keys(path)


@pytest.mark.parametrize("text", ["", "# only a remark\n", "AGE-SECRET-KEY-1XYZ\n", "käse\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "backup_key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileUnusable):
        load_keys(path)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnusable, match="there is no backup key"):
        load_keys(tmp_path / "backup_key")


def test_recipients_are_checked(tmp_path: Path) -> None:
    keys = make_key_file(tmp_path / "backup_key")
    assert [str(each) for each in parse_recipients([keys.recipient])] == [keys.recipient]
    with pytest.raises(BadRecipient):
        parse_recipients(["age1nonsense"])
