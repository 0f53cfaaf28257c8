"""Rotations stage by stage, on files alone: where an interrupted one goes on, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation import secrets, tls_files
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.rotation import tls
from autobot_ops.rotation.data_keys import DataKeyRotation
from autobot_ops.rotation.plan import Stage
from autobot_ops.rotation.postgres_roles import PostgresRoleRotation
from autobot_ops.rotation.redis_users import LoginWrong, RedisUserRotation
from autobot_ops.rotation.rotation import Rotation
from autobot_ops.rotation.tls import (
    AuthorityRotation,
    CertificateRotation,
    CertificateWrong,
    Server,
    SignerMissing,
)

NAME = "secret"


@pytest.fixture
def secret(tmp_path: Path) -> RotatingSecret:
    secrets.make_once(tmp_path / NAME, "aaaa:0123")
    return RotatingSecret(tmp_path, NAME)


def take(rotation: Rotation, *stages: Stage) -> None:
    for stage in stages:
        rotation.apply(stage)


def begins(rotation: Rotation) -> Stage:
    return rotation.observe().begin


def test_a_new_data_key_stands_in_front_and_the_former_one_stays(secret: RotatingSecret) -> None:
    rotation = DataKeyRotation("data-keys", secret)
    assert begins(rotation) is Stage.MAKE
    take(rotation, Stage.MAKE)
    assert secret.current == "aaaa:0123"
    assert begins(rotation) is Stage.SWITCH
    take(rotation, Stage.SWITCH)
    first, *others = secret.current.splitlines()
    assert others == ["aaaa:0123"]
    assert first != "aaaa:0123"
    assert begins(rotation) is Stage.RETIRE
    take(rotation, Stage.RETIRE)
    assert begins(rotation) is Stage.MAKE
    assert [path.name for path in secret.folder.iterdir()] == [NAME]


def test_a_ring_needs_no_overlap_and_no_server(secret: RotatingSecret) -> None:
    rotation = DataKeyRotation("data-keys", secret)
    assert not rotation.observe().overlaps
    before = secret.current
    take(rotation, Stage.ADMIT, Stage.VERIFY)
    assert secret.current == before


def test_a_role_is_given_its_password_when_the_file_has_it_and_not_before(secret: RotatingSecret) -> None:
    seen: list[str] = []
    rotation = PostgresRoleRotation(
        "postgres-knowledge",
        secret,
        apply_roles=lambda: seen.append(f"apply {secret.current}"),
        check_role=lambda: seen.append("check"),
    )
    take(rotation, Stage.MAKE)
    assert (secret.current, seen) == ("aaaa:0123", [])
    assert begins(rotation) is Stage.SWITCH
    take(rotation, Stage.SWITCH)
    assert seen == [f"apply {secret.current}"]
    assert secret.current != "aaaa:0123"
    assert begins(rotation) is Stage.SWITCH, "PostgreSQL may have the old one still"
    take(rotation, Stage.VERIFY, Stage.RETIRE, Stage.ADMIT)
    assert seen[1:] == ["check"]
    assert begins(rotation) is Stage.MAKE


@pytest.mark.parametrize(
    ("accepted", "stages", "words"),
    [
        ((), (Stage.MAKE, Stage.SWITCH, Stage.VERIFY), "redis refuses the new password of chat"),
        (
            ("old", "new"),
            (Stage.MAKE, Stage.SWITCH, Stage.VERIFY, Stage.RETIRE),
            "redis still accepts the old password of chat",
        ),
    ],
)
def test_a_redis_that_does_not_take_over_is_told(
    secret: RotatingSecret, accepted: tuple[str, ...], stages: tuple[Stage, ...], words: str
) -> None:
    def logs_in(_user: str, password: str) -> bool:
        return ("old" if password == "aaaa:0123" else "new") in accepted

    rotation = RedisUserRotation("chat", secret, load_passwords=lambda: None, logs_in=logs_in)
    with pytest.raises(LoginWrong, match=words):
        take(rotation, *stages)


def test_an_interrupted_password_goes_on_where_it_was(secret: RotatingSecret) -> None:
    rotation = RedisUserRotation(
        "chat", secret, load_passwords=lambda: None, logs_in=lambda _user, _password: True
    )
    assert begins(rotation) is Stage.MAKE
    take(rotation, Stage.MAKE, Stage.WAIT)
    assert begins(rotation) is Stage.ADMIT
    take(rotation, Stage.ADMIT, Stage.SWITCH)
    observed = rotation.observe()
    assert (observed.begin, observed.switched_at) == (Stage.VERIFY, secret.switched_at)


def test_without_the_key_of_the_authority_nothing_is_signed(tmp_path: Path) -> None:
    servers = {"redis": Server(load=pytest.fail, shown=lambda _trusted: "")}
    rotation = CertificateRotation("certificates", tmp_path, "autobot", servers)
    with pytest.raises(SignerMissing, match="the key of the authority is missing") as caught:
        take(rotation, Stage.SWITCH)
    assert "inv secrets.rotate authority" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A folder with an authority and certificates for the servers."""
    now = datetime.now(UTC)
    work = tls_files.plan_certificates(tls_files.read_tls_files(tmp_path), "autobot", now)
    tls_files.apply_certificates(tmp_path, "autobot", work, now)
    return tmp_path


def refuse(_trusted: str) -> str:
    raise ServiceUnreachable("it shows nothing")


@pytest.mark.parametrize("shown", [refuse, lambda _trusted: "the former one"])
def test_a_server_that_keeps_its_former_certificate_is_named(
    authority: Path, shown: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOAD_SECONDS", 0.0)
    rotation = CertificateRotation(
        "certificates", authority, "autobot", {"redis": Server(load=lambda: None, shown=shown)}
    )
    take(rotation, Stage.SWITCH, Stage.RETIRE)
    with pytest.raises(CertificateWrong, match="redis shows another certificate"):
        take(rotation, Stage.VERIFY)


def test_an_authority_that_is_half_there_is_not_built_upon(authority: Path) -> None:
    rotation = AuthorityRotation("authority", authority, "autobot", {})
    assert begins(rotation) is Stage.MAKE
    take(rotation, Stage.MAKE)
    assert begins(rotation) is Stage.ADMIT
    coming = authority / tls_files.NEXT_AUTHORITY
    coming.chmod(0o600)
    coming.write_text("half of it")
    with pytest.raises(SignerMissing, match="is no authority with its key"):
        take(rotation, Stage.ADMIT)
    assert len(tls_files.read_tls_files(authority).authorities) == 1
