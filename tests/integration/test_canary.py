"""A canary: every password of the stack becomes one that can be recognised, is used, fails, and is sought.

It is planted by a real rotation, which goes on with the value that it finds offered. What was shown meanwhile
is collected once, by place; the tests look through it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import redis

from autobot_ops.adapters.containers import service_address
from autobot_ops.adapters.redis_server import Endpoint, dialer, logs_in
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.isolation.secrets import password_names, redis_password_name
from autobot_ops.ports import Dialer
from tests.integration.conftest import Stack
from tests.integration.in_container import output_of
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("own_stack")

LOOKS = (
    *("status", "config", "config.check", "database.list", "database.check", "backup.list", "history"),
    *("logs", "all", "--tail", "2000", "up", "--dry-run", "secrets.rotate", "all", "--dry-run"),
)
"""Verbs that show something, one after the other."""

SECONDS = 60
TITLE = "kept with a canary"
PROCESSES = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
SQL = "psql --no-psqlrc --username=postgres --dbname=autobot <<'END'\n{}\nEND"
LOCK_KNOWLEDGE_OUT = """
ALTER ROLE knowledge PASSWORD 'another';
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'knowledge';
"""
# The password goes from its file to the server inside psql: not this test shall be what shows it.
FAIL_WITH_A_PASSWORD = """
\\set password `cat /run/secrets/postgres_knowledge_password`
ALTER ROLE nobody_of_that_name PASSWORD :'password';
"""
MUCH = 500
"""Characters that a place has at least: what is empty hides nothing."""


def forms_of(marker: str) -> tuple[str, ...]:
    """How a text can stand in another one: as it is, in hexadecimal, in base64 at each of three offsets."""
    text = marker.encode()
    encoded = [base64.b64encode(bytes(offset) + text).decode() for offset in range(3)]
    # The ends depend on what stands beside it.
    return (marker, text.hex(), *(each[4:-4] for each in encoded))


@dataclass
class Canary:
    """The mark that all planted passwords have in common, and what was shown, by place."""

    marker: str
    passwords: dict[str, str]
    shown: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, text: object) -> None:
        """Keep what a place showed."""
        self.shown[place] = self.shown.get(place, "") + f"{text}\n"

    def found_in(self, place: str) -> list[str]:
        """The forms in which the canary stands there."""
        return [form for form in forms_of(self.marker) if form in self.shown[place]]


@contextmanager
def every_command_is_slow(client: redis.Redis) -> Iterator[None]:
    """Have the server note all commands with their arguments, as if each were slow."""
    before = {str(name): str(value) for name, value in client.config_get("slowlog-*").items()}
    client.config_set("slowlog-max-len", 5000)
    client.config_set("slowlog-log-slower-than", 0)
    try:
        yield
    finally:
        for name, value in before.items():
            client.config_set(name, value)
        client.slowlog_reset()


@pytest.fixture(scope="module")
def canary(own_stack: Stack) -> Canary:
    """Plant it, use it, let it fail, and look everywhere."""
    stack = own_stack
    marker = f"canary{secrets.token_hex(8)}"
    names = password_names(stack.catalogs)
    planted = Canary(marker, {name: marker + secrets.token_urlsafe(24) for name in names})
    began = int(time.time())
    operator = dialer(stack.opened, "operator")
    with operator(0) as client, every_command_is_slow(client):
        for name, password in planted.passwords.items():
            RotatingSecret(stack.secrets_dir, name).offer(password)
        say(planted, stack, "secrets.rotate", "all", "--overlap", "1")
        # A connection that was let in with the former password would not use the planted one.
        for name in stack.catalogs.agents:
            client.execute_command("CLIENT", "KILL", "USER", name)
        use(planted, stack)
        fail_with_addresses(planted, stack)
        fail_at_redis(planted, stack, operator)
        fail_at_postgres(planted, stack)
        for entry in client.slowlog_get(5000):
            planted.add("log of redis", entry)
        planted.add("log of redis", client.acl_log())
    say(planted, stack, *LOOKS)
    look_at_containers(planted, stack)
    events = stack.engine.events(since=began, until=int(time.time()) + 1, decode=True)
    planted.add("events of the engine", "\n".join(map(json.dumps, events)))
    for path in stack.state_dir.rglob("*"):
        if path.is_file() and stack.secrets_dir not in path.parents:
            planted.add("journals", path.read_text(errors="replace"))
    return planted


def say(canary: Canary, stack: Stack, *arguments: str, check: bool = True) -> None:
    """Run `inv` and keep what it says; without `check` it has to fail."""
    done = stack.inv(*arguments, check=check)
    assert check or done.returncode, f"inv {' '.join(arguments)} should have failed"
    canary.add("output of inv", done.stdout + done.stderr)


def use(canary: Canary, stack: Stack) -> None:
    """A request for each agent that keeps something, with connections that log in anew."""
    answer = httpx.post(stack.url("chat", "/chat/conversations"), json={"title": TITLE}, timeout=SECONDS)
    canary.add("answers of agents", answer.raise_for_status().text)
    entry = {"title": TITLE, "content": "Canaries sing."}
    answer = httpx.post(stack.url("knowledge", "/knowledge/entries"), json=entry, timeout=SECONDS)
    canary.add("answers of agents", answer.raise_for_status().text)
    for name in stack.catalogs.agents:
        for path in (f"/health/{name}", "/metrics"):
            canary.add("answers of agents", httpx.get(stack.url(name, path), timeout=SECONDS).text)


def fail_with_addresses(canary: Canary, stack: Stack) -> None:
    """A person gives a password in an address, and there is nobody, or somebody who speaks TLS only."""
    password = canary.passwords[redis_password_name("migrate")]
    address = service_address(stack.engine, stack.project, "redis")
    nobody, plain = f"redis://migrate:{password}@127.0.0.1:1", f"redis://migrate:{password}@{address}:6379"
    say(canary, stack, "migrate", "--source", nobody, "--yes", check=False)
    say(canary, stack, "migrate", "--url", plain, "--no-backup", "--yes", check=False)
    say(canary, stack, "demo.seed", "--url", plain, "--keys", "1", "--yes", check=False)


def fail_at_redis(canary: Canary, stack: Stack, operator: Dialer) -> None:
    """An agent's password is refused for a while; another user's is tried with it."""
    chat = redis_password_name("chat")
    address = service_address(stack.engine, stack.project, "redis")
    assert address is not None
    assert not logs_in(Endpoint(address, 6379), stack.secrets_dir, "rag", canary.passwords[chat])
    conversations = stack.url("chat", "/chat/conversations")
    try:
        with operator(0) as client:
            client.execute_command("ACL", "SETUSER", "chat", "resetpass", ">another")
            client.execute_command("CLIENT", "KILL", "USER", "chat")
        answer = httpx.get(conversations, timeout=SECONDS)
        assert answer.status_code == 503, answer.text
        canary.add("answers of agents", answer.text)
    finally:
        say(canary, stack, "database.reload")
    wait_until(lambda: httpx.get(conversations, timeout=SECONDS).is_success, "chat is let in again", SECONDS)


def fail_at_postgres(canary: Canary, stack: Stack) -> None:
    """The service's password is refused for a while, and a statement with a password in it fails."""
    postgres = stack.container("postgres")
    try:
        output_of(postgres, "bash", "-c", SQL.format(LOCK_KNOWLEDGE_OUT))
        answer = httpx.get(stack.url("knowledge", "/knowledge/entries/1"), timeout=SECONDS)
        assert answer.status_code == 503, answer.text
        canary.add("answers of agents", answer.text)
        said = output_of(postgres, "bash", "-c", SQL.format(FAIL_WITH_A_PASSWORD))
        assert "does not exist" in said
    finally:
        output_of(postgres, "apply-roles")


def look_at_containers(canary: Canary, stack: Stack) -> None:
    """What the engine and the containers themselves show of each service."""
    for service in stack.services:
        container = stack.container(service)
        image = container.image
        assert image is not None
        canary.add(f"inspection of {service}", container.attrs)
        canary.add(f"inspection of {service}", output_of(container, "bash", "-c", PROCESSES))
        canary.add(f"history of {service}", f"{image.attrs} {image.history()}")
        canary.add(f"log of {service}", container.logs().decode(errors="replace"))
        if service.endswith("-agent"):
            canary.add(f"log of {service}", output_of(container, "bash", "-c", "cat /app/logs/*"))
    label = {"label": f"com.docker.compose.project={stack.project}"}
    for each in (*stack.engine.networks.list(filters=label), *stack.engine.volumes.list(filters=label)):
        canary.add("inspection of networks and volumes", each.attrs)


@pytest.mark.obligation(16)
@pytest.mark.parametrize("form", range(5))
def test_the_canary_would_be_found_in_any_form(form: int) -> None:
    """The search itself: as text, in hexadecimal, in base64 whatever stands in front of it."""
    hidden = b'{"auth": "' + b"x" * form + b'canary0123456789 and more"}'
    text = (hidden.decode(), hidden.hex(), base64.b64encode(hidden).decode())[min(form, 2)]
    canary = Canary("canary0123456789", {}, {"here": text})
    assert canary.found_in("here")


@pytest.mark.obligation(16)
def test_the_canary_is_what_the_stack_works_with(canary: Canary, stack: Stack) -> None:
    seen = output_of(stack.container("chat-agent"), "cat", "/run/secrets/redis_password").strip()
    assert seen == canary.passwords[redis_password_name("chat")]
    assert TITLE in canary.shown["answers of agents"]
    # It was told of every failure that was provoked, and by name.
    assert "AuthenticationError" in canary.shown["log of chat-agent"]
    assert "password authentication failed" in canary.shown["log of postgres"]
    assert "(redacted)" in canary.shown["log of redis"]


@pytest.mark.obligation(16)
@pytest.mark.parametrize("kind", ["inspection", "history", "log"])
def test_the_canary_shows_in_nothing_that_is_known_of_a_service(
    canary: Canary, service_name: str, kind: str
) -> None:
    place = f"{kind} of {service_name}"
    assert len(canary.shown[place]) > MUCH
    assert canary.found_in(place) == []


@pytest.mark.obligation(16)
@pytest.mark.parametrize(
    "place",
    [
        "inspection of networks and volumes",
        "events of the engine",
        "answers of agents",
        "output of inv",
        "journals",
    ],
)
def test_the_canary_shows_in_nothing_that_the_stack_says(canary: Canary, place: str) -> None:
    assert len(canary.shown[place]) > MUCH
    assert canary.found_in(place) == []
