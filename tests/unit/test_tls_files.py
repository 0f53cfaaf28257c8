"""Which certificates a stack has to make, and that making them is enough."""

from __future__ import annotations

import datetime
from pathlib import Path

from autobot_ops.isolation import certificates, secrets, tls_files
from autobot_ops.isolation.tls_files import AUTHORITY, AUTHORITY_KEY, SERVERS

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
REDIS, POSTGRES = SERVERS["redis"], SERVERS["postgres"]


def plan(folder: Path, now: datetime.datetime = NOW, project: str = "autobot") -> dict[str, str]:
    return tls_files.plan_certificates(tls_files.read_tls_files(folder), project, now)


def make(folder: Path, now: datetime.datetime = NOW, project: str = "autobot") -> None:
    tls_files.apply_certificates(folder, project, plan(folder, now, project), now)


def test_a_new_stack_gets_an_authority_and_a_certificate_for_each_server(tmp_path: Path) -> None:
    assert plan(tmp_path) == {
        AUTHORITY: "it is missing",
        REDIS: "its authority is new",
        POSTGRES: "its authority is new",
    }
    make(tmp_path)
    assert plan(tmp_path) == {}
    files = tls_files.read_tls_files(tmp_path)
    pair = certificates.split_pair(files.servers["redis"])
    assert pair is not None
    assert certificates.is_signed_by(pair.certificate, files.bundle)
    assert certificates.names_of(pair.certificate) == ["redis", "autobot-redis", "localhost", "127.0.0.1"]


def test_containers_may_read_certificates_and_nobody_the_key_that_signs(tmp_path: Path) -> None:
    make(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {AUTHORITY: 0o440, AUTHORITY_KEY: 0o400, REDIS: 0o440, POSTGRES: 0o440}
    assert secrets.secrets_with_wrong_access(tmp_path) == ()


def test_a_certificate_that_ends_soon_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    make(tmp_path)
    before = tls_files.read_tls_files(tmp_path)
    later = NOW + datetime.timedelta(days=370)
    assert set(plan(tmp_path, later)) == {REDIS, POSTGRES}
    assert plan(tmp_path, later)[REDIS] == "it ends on 2027-12-25"
    make(tmp_path, later)
    after = tls_files.read_tls_files(tmp_path)
    assert after.bundle == before.bundle
    assert after.servers["redis"] != before.servers["redis"]
    assert plan(tmp_path, later) == {}


def test_a_certificate_for_other_names_is_replaced(tmp_path: Path) -> None:
    make(tmp_path)
    assert plan(tmp_path, project="other")[REDIS] == "it is not for redis, other-redis, localhost, 127.0.0.1"


def test_a_half_written_certificate_is_replaced(tmp_path: Path) -> None:
    make(tmp_path)
    text = secrets.read_secret(tmp_path, REDIS)
    secrets.write_derived(tmp_path, REDIS, text[: len(text) // 2])
    assert plan(tmp_path) == {REDIS: "it is no certificate with its key"}


def test_a_certificate_with_another_ones_key_is_replaced(tmp_path: Path) -> None:
    make(tmp_path)
    files = tls_files.read_tls_files(tmp_path)
    redis, postgres = (certificates.split_pair(files.servers[name]) for name in ("redis", "postgres"))
    assert redis is not None
    assert postgres is not None
    secrets.write_derived(tmp_path, REDIS, redis.certificate + postgres.private_key)
    assert plan(tmp_path) == {REDIS: "it is no certificate with its key"}


def test_an_authority_without_its_key_is_kept_as_long_as_nothing_must_be_signed(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / AUTHORITY_KEY).unlink()
    assert plan(tmp_path) == {}
    (tmp_path / REDIS).unlink()
    assert plan(tmp_path)[AUTHORITY] == "the key that signs is missing"


def test_a_new_authority_leaves_the_former_one_trusted(tmp_path: Path) -> None:
    make(tmp_path)
    (former,) = tls_files.read_tls_files(tmp_path).authorities
    for name in (AUTHORITY_KEY, REDIS):
        (tmp_path / name).unlink()
    make(tmp_path)
    files = tls_files.read_tls_files(tmp_path)
    assert former in files.authorities
    assert files.signer is not None
    assert files.signer.certificate != former
    assert plan(tmp_path) == {}


def test_an_authority_that_was_made_and_never_published_is_replaced(tmp_path: Path) -> None:
    secrets.write_derived(tmp_path, AUTHORITY_KEY, certificates.make_authority("autobot", NOW).private_key)
    make(tmp_path)
    assert tls_files.read_tls_files(tmp_path).signer is not None


def test_of_two_trusted_authorities_the_one_whose_key_is_there_signs(tmp_path: Path) -> None:
    old, new = (certificates.make_authority("autobot", NOW) for _ in range(2))
    secrets.write_derived(tmp_path, AUTHORITY, certificates.bundle([new.certificate, old.certificate]))
    secrets.write_derived(tmp_path, AUTHORITY_KEY, old.private_key)
    signer = tls_files.read_tls_files(tmp_path).signer
    assert signer is not None
    assert signer.certificate == old.certificate


def test_says_when_the_authority_ends(tmp_path: Path) -> None:
    make(tmp_path)
    files = tls_files.read_tls_files(tmp_path)
    assert tls_files.authority_ends(files, NOW) is None
    late = NOW + datetime.timedelta(days=certificates.AUTHORITY_DAYS - 20)
    assert tls_files.authority_ends(files, late) == NOW + datetime.timedelta(days=certificates.AUTHORITY_DAYS)
