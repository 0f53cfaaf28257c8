"""Rotations against a real server: no request fails, the old secret ends, and a crash anywhere is mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from autobot_ops.adapters.redis_server import answering, dialer_to, logs_in
from autobot_ops.adapters.tls_peer import NoTrustedTls
from autobot_ops.isolation import tls_files
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.isolation.secrets import redis_password_name
from autobot_ops.isolation.user_passwords import apply_passwords
from autobot_ops.rotation import rotation
from autobot_ops.rotation.redis_users import RedisUserRotation
from autobot_ops.rotation.rotation import Rotation
from autobot_ops.rotation.tls import AuthorityRotation, CertificateRotation
from tests.component.redis_traffic import traffic
from tests.component.tls_redis_process import PROJECT, TlsRedisProcess

OVERLAP_SECONDS = 0.5

Make = Callable[[TlsRedisProcess], Rotation]


def of_password(server: TlsRedisProcess, user: str = "chat") -> RedisUserRotation:
    folder = server.secrets_dir

    def load_passwords() -> None:
        valid = {name: RotatingSecret(folder, redis_password_name(name)).valid for name in server.passwords}
        with answering(dialer_to(server.endpoint, folder, "operator")) as client:
            apply_passwords(client, valid)

    return RedisUserRotation(
        user,
        RotatingSecret(folder, redis_password_name(user)),
        load_passwords=load_passwords,
        logs_in=lambda name, password: logs_in(server.endpoint, folder, name, password),
    )


def of_certificates(server: TlsRedisProcess) -> CertificateRotation:
    return CertificateRotation("certificates", server.secrets_dir, PROJECT, {"redis": server.as_server()})


def of_authority(server: TlsRedisProcess) -> AuthorityRotation:
    return AuthorityRotation("authority", server.secrets_dir, PROJECT, {"redis": server.as_server()})


def of_operator(server: TlsRedisProcess) -> RedisUserRotation:
    """The user that changes users: it changes itself."""
    return of_password(server, "operator")


EVERY_KIND = pytest.mark.parametrize("make", [of_password, of_operator, of_certificates, of_authority])


def rotate(*rotations: Rotation) -> None:
    steps = rotation.plan(rotations, overlap=OVERLAP_SECONDS)
    rotation.apply(rotations, steps, on_step=lambda _: None)


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith((".next", ".previous"))]


@EVERY_KIND
def test_no_request_fails_on_open_new_and_reopened_connections(
    tls_redis: TlsRedisProcess, make: Make
) -> None:
    with traffic(tls_redis.environment("chat")) as seen:
        rotate(make(tls_redis))
    assert seen.failures == []
    assert left_over(tls_redis.secrets_dir) == []


def test_the_old_password_is_refused_after_the_overlap(tls_redis: TlsRedisProcess) -> None:
    old = tls_redis.passwords["chat"]
    rotate(of_password(tls_redis))
    new = RotatingSecret(tls_redis.secrets_dir, redis_password_name("chat")).current
    assert new != old
    assert logs_in(tls_redis.endpoint, tls_redis.secrets_dir, "chat", new)
    assert not logs_in(tls_redis.endpoint, tls_redis.secrets_dir, "chat", old)


def test_rules_stay_as_they_are(tls_redis: TlsRedisProcess) -> None:
    def rules() -> dict[str, str]:
        with tls_redis.operator() as client:
            lines = [str(line).split() for line in client.acl_list()]
        return {words[1]: " ".join(word for word in words if not word.startswith("#")) for words in lines}

    before = rules()
    rotate(of_password(tls_redis))
    assert rules() == before


def test_new_connections_meet_the_new_certificate(tls_redis: TlsRedisProcess) -> None:
    before = tls_redis.shown_certificate()
    rotate(of_certificates(tls_redis))
    assert tls_redis.shown_certificate() != before


def test_after_a_new_authority_the_old_one_is_trusted_no_more(tls_redis: TlsRedisProcess) -> None:
    (old,) = tls_files.read_tls_files(tls_redis.secrets_dir).authorities
    rotate(of_authority(tls_redis))
    assert tls_redis.shown_certificate()
    with pytest.raises(NoTrustedTls, match="certificate verify failed"):
        tls_redis.shown_certificate(trusted=old)
    files = tls_files.read_tls_files(tls_redis.secrets_dir)
    assert old not in files.authorities
    assert files.signer is not None


def test_certificates_and_passwords_rotate_together(tls_redis: TlsRedisProcess) -> None:
    with traffic(tls_redis.environment("chat")) as seen:
        rotate(of_password(tls_redis), of_operator(tls_redis), of_authority(tls_redis))
    assert seen.failures == []


@EVERY_KIND
def test_whatever_step_it_dies_after_the_next_run_finishes(tls_redis: TlsRedisProcess, make: Make) -> None:
    steps = rotation.plan([make(tls_redis)], overlap=0)
    for taken in range(1, len(steps)):
        rotation.apply([make(tls_redis)], steps[:taken], on_step=lambda _: None)
        # What agents have at this moment lets them in.
        with dialer_to(tls_redis.endpoint, tls_redis.secrets_dir, "operator")(0) as client:
            assert client.info("server")
        with redis.Redis(
            host="localhost",
            port=tls_redis.port,
            username="chat",
            password=RotatingSecret(tls_redis.secrets_dir, redis_password_name("chat")).current,
            ssl=True,
            ssl_ca_certs=str(tls_redis.ca_file),
        ) as agent:
            assert agent.ping()
        rotate(make(tls_redis))
        assert left_over(tls_redis.secrets_dir) == []
        assert of_password(tls_redis).logs_in("chat", of_password(tls_redis).secret.current)
