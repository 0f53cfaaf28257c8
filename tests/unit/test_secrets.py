"""Secret files: made once, with the right access, never overwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from autobot_ops.backup.key_file import KEY_FILE, KEY_FILE_MODE, make_key_file
from autobot_ops.catalog import load_catalogs
from autobot_ops.isolation import secrets


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_stack_needs_one_password_per_user(root: Path) -> None:
    assert secrets.password_names(load_catalogs(root)) == (
        "redis_chat_password",
        "redis_rag_password",
        "redis_npu_password",
        "redis_research_password",
        "redis_knowledge_password",
        "redis_operator_password",
        "redis_monitor_password",
        "redis_backup_password",
        "redis_migrate_password",
        "redis_restore_password",
        "postgres_superuser_password",
        "postgres_knowledge_password",
    )


def test_makes_what_is_missing_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "state/secrets"
    assert secrets.make_secrets(folder, ["a", "b"]) == ("a", "b")
    assert secrets.make_secrets(folder, ["a", "b", "c"]) == ("c",)
    values = {secrets.read_secret(folder, name) for name in "abc"}
    assert len(values) == 3
    assert all(len(value) >= 43 for value in values)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]


def test_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    secrets.make_secrets(tmp_path, ["a"])
    assert (tmp_path / "a").read_text() == "mine"


def test_containers_can_read_it_and_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    secrets.make_secrets(folder, ["a"])
    assert mode(folder) == 0o700
    assert mode(folder / "a") == 0o440
    assert (folder / "a").stat().st_gid == secrets.secrets_group()


def test_a_crash_in_the_middle_leaves_no_half_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="no space"):
        secrets.make_secrets(tmp_path, ["a"])
    assert list(tmp_path.iterdir()) == []


def test_the_backup_key_stays_with_its_owner(tmp_path: Path) -> None:
    key = tmp_path / KEY_FILE
    make_key_file(key)
    assert secrets.secrets_with_wrong_access(tmp_path) == ()
    key.chmod(0o440)
    assert secrets.secrets_with_wrong_access(tmp_path) == (KEY_FILE,)
    secrets.correct_access(tmp_path, [KEY_FILE])
    assert mode(key) == KEY_FILE_MODE


def test_wrong_access_is_seen_and_corrected(tmp_path: Path) -> None:
    secrets.make_secrets(tmp_path, ["a", "b"])
    (tmp_path / "a").chmod(0o644)
    assert secrets.secrets_with_wrong_access(tmp_path) == ("a",)
    secrets.correct_access(tmp_path, ["a"])
    assert secrets.secrets_with_wrong_access(tmp_path) == ()


def test_an_empty_or_missing_secret_is_named_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\n")
    with pytest.raises(secrets.SecretUnreadable, match="is empty") as caught:
        secrets.read_secret(tmp_path, "a")
    assert "inv config.init" in caught.value.hint
    with pytest.raises(secrets.SecretUnreadable, match="is missing") as missing:
        secrets.read_secret(tmp_path, "b")
    assert "inv config.init" in missing.value.hint


def test_a_derived_file_changes_in_place_for_containers_that_have_it_mounted(tmp_path: Path) -> None:
    assert secrets.write_derived(tmp_path, "users", "user a\nuser b\n")
    inode = (tmp_path / "users").stat().st_ino
    assert not secrets.write_derived(tmp_path, "users", "user a\nuser b\n")
    assert secrets.write_derived(tmp_path, "users", "user a\n")
    assert (tmp_path / "users").read_text() == "user a\n"
    assert (tmp_path / "users").stat().st_ino == inode
    assert mode(tmp_path / "users") == 0o440
