"""Everything is rotated once, under load; the tests look at what came of it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass

import httpx
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from autobot_ops.adapters.containers import service_address
from autobot_ops.adapters.redis_server import Endpoint, logs_in
from autobot_ops.adapters.tls_peer import NoTrustedTls, peer_certificate
from autobot_ops.backup.key_file import KEY_FILE
from autobot_ops.isolation import tls_files
from tests.integration.conftest import Stack
from tests.integration.load import Load, steady_load

pytestmark = pytest.mark.usefixtures("own_stack")

PER_SECOND = 40.0
OVERLAP_SECONDS = 5
ENTRY = {"title": "Owls", "content": "Owls hunt at night."}


@dataclass(frozen=True, repr=False)
class Rotated:
    """Secrets by file name before and after, the requests meanwhile, and what `inv` said."""

    before: dict[str, str]
    after: dict[str, str]
    conversation: str
    load: Load
    done: subprocess.CompletedProcess[str]
    seen_by_chat: str


def secrets_of(stack: Stack) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in stack.secrets_dir.iterdir()}


def random_parts(secrets: dict[str, str]) -> set[str]:
    """What must be seen nowhere: of certificates the private key, of data keys not the id."""
    hidden = set()
    for name in secrets.keys() - {"redis_users_acl"}:
        private = re.sub(r"-----BEGIN CERTIFICATE.*?END CERTIFICATE-----", "", secrets[name], flags=re.DOTALL)
        hidden |= {line.split(":")[-1] for line in private.splitlines() if line and "-----" not in line}
    return hidden


def redis_endpoint(stack: Stack) -> Endpoint:
    address = service_address(stack.engine, stack.project, "redis")
    assert address is not None
    return Endpoint(address, 6379)


@pytest.fixture(scope="module")
def rotated(stack: Stack) -> Rotated:
    """Rotate everything while requests go to chat (Redis, encrypted) and knowledge (PostgreSQL and Redis)."""
    before = secrets_of(stack)
    conversations = stack.url("chat", "/chat/conversations")
    conversation = httpx.post(conversations, json={"title": "Owls"}, timeout=30).json()["id"]
    entry = httpx.post(stack.url("knowledge", "/knowledge/entries"), json=ENTRY, timeout=30).json()["id"]
    requests = [
        lambda client: client.get(f"{conversations}/{conversation}"),
        lambda client: client.get(stack.url("knowledge", f"/knowledge/entries/{entry}")),
        lambda client: client.post(f"{conversations}/{conversation}/messages", json={"content": "Hoo."}),
        lambda client: client.post(stack.url("knowledge", "/knowledge/entries"), json=ENTRY),
    ]
    with steady_load(requests, per_second=PER_SECOND) as load:
        done = stack.inv("secrets.rotate", "all", "--overlap", str(OVERLAP_SECONDS), "--json")
    seen = stack.container("chat-agent").exec_run(["cat", "/run/secrets/redis_password"]).output
    assert isinstance(seen, bytes)
    return Rotated(before, secrets_of(stack), conversation, load, done, seen.decode().strip())


def test_no_request_fails(rotated: Rotated) -> None:
    assert rotated.load.failures == []
    assert min(rotated.load.answered) > 1
    assert sum(rotated.load.answered) > OVERLAP_SECONDS * PER_SECOND / 2


def test_every_secret_is_another_one(rotated: Rotated) -> None:
    # The users follow from passwords; the backup key is rotated by itself: inv backup.key --rotate.
    others = {"redis_users_acl", KEY_FILE}
    assert rotated.after.keys() == rotated.before.keys()
    same = {name for name, value in rotated.after.items() if rotated.before[name] == value}
    assert same <= others


def test_containers_see_the_new_file_without_a_restart(rotated: Rotated) -> None:
    assert rotated.seen_by_chat == rotated.after["redis_chat_password"]


def test_redis_refuses_every_old_password(stack: Stack, rotated: Rotated) -> None:
    server = redis_endpoint(stack)
    for user in (*stack.catalogs.agents, "operator", "monitor", "backup"):
        name = f"redis_{user}_password"
        assert logs_in(server, stack.secrets_dir, user, rotated.after[name]), user
        assert not logs_in(server, stack.secrets_dir, user, rotated.before[name]), user


def test_postgresql_refuses_the_old_password(stack: Stack, rotated: Rotated) -> None:
    postgres = stack.container("postgres")
    assert postgres.exec_run(["check-roles"]).exit_code == 0
    login = "psql -w -c 'SELECT 1' 'host=127.0.0.1 sslmode=require user=knowledge dbname=autobot'"
    for password, status in ((rotated.after, 0), (rotated.before, 2)):
        line = f"127.0.0.1:*:*:knowledge:{password['postgres_knowledge_password']}"
        script = f"umask 077; echo '{line}' >/tmp/.trial; PGPASSFILE=/tmp/.trial {login}"
        assert postgres.exec_run(["bash", "-c", script]).exit_code == status
    postgres.exec_run(["rm", "/tmp/.trial"])


def test_the_old_authority_is_trusted_by_nobody_and_vouches_for_nobody(
    stack: Stack, rotated: Rotated
) -> None:
    server = redis_endpoint(stack)
    with pytest.raises(NoTrustedTls):
        peer_certificate(server.host, server.port, name="redis", trusted=rotated.before["redis_ca"])
    assert peer_certificate(server.host, server.port, name="redis", trusted=rotated.after["redis_ca"])


def test_conversations_from_before_are_still_read(stack: Stack, rotated: Rotated) -> None:
    answer = httpx.get(stack.url("chat", f"/chat/conversations/{rotated.conversation}"), timeout=30)
    assert "Hoo." in answer.text


def test_nothing_shows_an_old_or_a_new_secret(stack: Stack, rotated: Rotated) -> None:
    random = random_parts(rotated.before) | random_parts(rotated.after)
    shown = [rotated.done.stdout, rotated.done.stderr]
    shown += [f"{each.attrs} {each.logs()!r}" for each in stack.containers()]
    assert not [value for value in random for text in shown if value in text]


def test_no_container_has_the_key_of_the_authority(stack: Stack) -> None:
    mounted = {mount["Source"] for each in stack.containers() for mount in each.attrs["Mounts"]}
    assert str(stack.secrets_dir / tls_files.AUTHORITY) in mounted
    assert str(stack.secrets_dir / tls_files.AUTHORITY_KEY) not in mounted


def test_after_a_rotation_there_is_nothing_to_do(stack: Stack, rotated: Rotated) -> None:
    assert rotated.done.returncode == 0
    assert json.loads(stack.inv("up", "--dry-run", "--json").stdout)["steps"] == []
    stack.inv("config.check")


def test_a_dry_run_changes_nothing(stack: Stack) -> None:
    before = secrets_of(stack)
    steps = json.loads(stack.inv("secrets.rotate", "all", "--dry-run", "--json").stdout)["steps"]
    assert {"service": "chat", "step": "make a new password"} in steps
    assert secrets_of(stack) == before


def test_an_unknown_service_is_answered_with_the_nearest(stack: Stack) -> None:
    done = stack.inv("secrets.rotate", "authoritty", check=False)
    assert done.returncode == 2
    assert "Did you mean 'authority'?" in done.stderr


def test_redis_speaks_no_plain_text_on_the_network(stack: Stack) -> None:
    server = redis_endpoint(stack)
    once = Retry(NoBackoff(), 0)
    plain = redis.Redis(host=server.host, port=server.port, retry=once)
    with plain, pytest.raises(redis.ConnectionError):
        plain.ping()


def test_postgresql_speaks_no_plain_text_on_the_network(stack: Stack) -> None:
    plain = "psql -w -c 'SELECT 1' 'host=127.0.0.1 sslmode=disable user=knowledge dbname=autobot'"
    refused = stack.container("postgres").exec_run(["bash", "-c", plain])
    assert refused.exit_code == 2
    assert b"no encryption" in refused.output
