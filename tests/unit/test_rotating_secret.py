"""The files of a secret that is being rotated say how far it has come, whatever interrupts it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autobot_ops.isolation import secrets
from autobot_ops.isolation.rotating_secret import RotatingSecret, being_rotated

NAME = "redis_chat_password"


@pytest.fixture
def secret(tmp_path: Path) -> RotatingSecret:
    secrets.make_once(tmp_path / NAME, "old")
    return RotatingSecret(tmp_path, NAME)


def names(secret: RotatingSecret) -> list[str]:
    return sorted(path.name for path in secret.folder.iterdir())


def test_a_secret_at_rest_has_one_valid_value(secret: RotatingSecret) -> None:
    assert secret.valid == ("old",)
    assert not secret.is_offered
    assert secret.switched_at is None


def test_an_offered_value_is_valid_and_not_yet_current(secret: RotatingSecret) -> None:
    secret.offer("new")
    assert secret.valid == ("old", "new")
    assert secret.is_offered


def test_an_offer_that_is_there_stays(secret: RotatingSecret) -> None:
    secret.offer("new")
    secret.offer("newer")
    assert secret.next == "new"


def test_after_the_switch_both_values_are_valid(secret: RotatingSecret) -> None:
    secret.offer("new")
    secret.switch()
    assert secret.valid == ("new", "old")
    assert secret.switched_at is not None
    assert names(secret) == [NAME, f"{NAME}.previous"]


def test_the_switch_keeps_the_inode_that_containers_have_mounted(secret: RotatingSecret) -> None:
    before = (secret.folder / NAME).stat().st_ino
    secret.offer("new")
    secret.switch()
    assert (secret.folder / NAME).stat().st_ino == before


def test_in_the_end_only_the_new_value_is_left(secret: RotatingSecret) -> None:
    secret.offer("new")
    secret.switch()
    secret.retire()
    assert secret.valid == ("new",)
    assert names(secret) == [NAME]


def test_no_container_may_read_what_is_beside_the_secret(secret: RotatingSecret) -> None:
    secret.offer("new")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secret.folder.iterdir()}
    assert modes == {NAME: 0o440, f"{NAME}.next": 0o400}


def test_a_rotation_that_is_not_over_can_be_seen(secret: RotatingSecret) -> None:
    assert being_rotated(secret.folder) == ()
    secret.offer("new")
    assert being_rotated(secret.folder) == (NAME,)
    secret.switch()
    assert being_rotated(secret.folder) == (NAME,)
    secret.retire()
    assert being_rotated(secret.folder) == ()


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("calls_before_the_crash", range(4))
def test_a_switch_that_crashed_anywhere_can_be_repeated(
    secret: RotatingSecret, monkeypatch: pytest.MonkeyPatch, calls_before_the_crash: int
) -> None:
    secret.offer("new")
    left = calls_before_the_crash

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash

    unlink, make_once, write = Path.unlink, secrets.make_once, secrets.write_derived

    def crashing_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name.endswith((".next", ".previous")):
            count_down()
        unlink(path, missing_ok)

    def crashing_make(path: Path, text: str) -> bool:
        count_down()
        return make_once(path, text)

    def crashing_write(folder: Path, name: str, text: str) -> bool:
        count_down()
        return write(folder, name, text)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", crashing_unlink)
        patched.setattr(secrets, "make_once", crashing_make)
        patched.setattr(secrets, "write_derived", crashing_write)
        with pytest.raises(Crash):
            secret.switch()
    assert set(secret.valid) == {"old", "new"}
    secret.switch()
    assert secret.valid == ("new", "old")
