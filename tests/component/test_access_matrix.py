"""The whole matrix against server processes: no user does more, or less, than the catalogs say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.isolation.users import has_database_rules
from tests.access.matrix import STAGING_NUMBER, UNKNOWN_NUMBER, Matrix, Outcome
from tests.access.oracle import Oracle
from tests.access.seeds import Seeds
from tests.access.servers import HARNESS, AccessServer, available_servers, missing_servers

RecordProperty = Callable[[str, object], None]

# What an agent may do in no database in particular. The first four are for whoever hasn't logged in
# yet, so no rule can take them away.
WITHOUT_KEYS = {
    "auth", "hello", "quit", "reset",
    "client|id", "client|info", "client|setname", "discard", "exec", "multi", "ping", "unwatch",
}  # fmt: skip

VICTIM = "npu"
VICTIMS_DATABASE = 8


@pytest.fixture(scope="module")
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


@pytest.fixture(scope="module", params=available_servers())
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, catalogs: Catalogs
) -> Iterator[AccessServer]:
    """Each server there is, with its users in the strictest way that it understands."""
    server = AccessServer(tmp_path_factory.mktemp(request.param), catalogs, request.param)
    server.start()
    with server.client(HARNESS) as client:
        database_rules = has_database_rules(client)
    if database_rules:
        server.stop()
        server.start(server.rendered(database_rules=True))
    yield server
    server.stop()


def matrix_of(server: AccessServer) -> Matrix:
    with server.client(HARNESS) as client:
        oracle = Oracle(server.catalogs, has_database_rules(client))
    seeds = Seeds(server.catalogs, (*oracle.catalog_numbers, UNKNOWN_NUMBER, STAGING_NUMBER))
    return Matrix(oracle, seeds, server.connection)


def test_the_installed_redis_is_always_tried(record_property: RecordProperty) -> None:
    record_property("servers tried", ", ".join(available_servers()))
    if missing_servers():
        record_property("NOT tried, see scripts/fetch-test-servers", ", ".join(missing_servers()))
    assert "redis-7" in available_servers()


def test_no_user_does_more_or_less_than_the_catalogs_say(
    server: AccessServer, record_property: RecordProperty
) -> None:
    matrix, outcome = matrix_of(server), Outcome()
    began = time.monotonic()
    with server.client(HARNESS) as harness:
        version = harness.info("server")
        matrix.seeds.plant(harness)
        planted = matrix.seeds.contents(harness)
        for user in matrix.oracle.users:
            for number in matrix.numbers_of(user):
                harness.flushall()
                matrix.seeds.plant(harness)
                matrix.run(user, number, outcome, destructive=False)
                after = matrix.seeds.contents(harness)
                outcome.surprises += matrix.unexpected_changes(user, planted, after)
                matrix.run(user, number, outcome, destructive=True)
            for case in matrix.select_cases(user):
                matrix.run_alone(case, outcome)
    name = f"{server.name} {version.get('valkey_version', version['redis_version'])}"
    record_property(f"access matrix on {name}", f"{outcome}, {time.monotonic() - began:.0f} s")
    assert outcome.surprises == []
    assert outcome.total > 10_000


def test_what_agents_may_do_without_keys_is_known_completely(server: AccessServer) -> None:
    with server.client(HARNESS) as harness:
        asked = [
            (agent, *command)
            for agent in server.catalogs.agents
            for command in commands_without_keys(harness)
        ]
        pipeline: Any = harness.pipeline(transaction=False)
        for agent, name, arguments in asked:
            pipeline.execute_command("ACL", "DRYRUN", agent, *name.split("|"), *["1"] * arguments)
        answers = pipeline.execute()
    for agent in server.catalogs.agents:
        allowed = {
            name
            for (user, name, _), answer in zip(asked, answers, strict=True)
            if user == agent and answer == b"OK"
        }
        # SELECT is judged by its number, in the matrix.
        assert allowed - {"select"} == WITHOUT_KEYS, agent


def commands_without_keys(client: redis.Redis) -> list[tuple[str, int]]:
    """Every command and subcommand that takes no key, with the count of arguments that it needs."""
    client.response_callbacks.pop("COMMAND", None)  # redis-py's own form leaves the subcommands out
    queue: list[Any] = list(client.execute_command("COMMAND"))  # type: ignore[no-untyped-call]
    found = []
    while queue:
        name, arity, flags, *_, key_specifications, subcommands = queue.pop()[:10]
        queue += subcommands
        if not key_specifications and not subcommands and b"movablekeys" not in flags:
            found.append((name.decode(), max(0, abs(arity) - len(name.split(b"|")))))
    return found


@pytest.mark.parametrize(
    ("rule", "instead", "surprise"),
    [
        ("+select|8", "+select|8 +select|6", f"{VICTIM} in database 0: SELECT 6 was allowed"),
        ("-move ", "", "MOVE llama_index/vector_matrix 6"),
        ("-copy ", "", "COPY llama_index/vector_matrix llama_index/vector_matrix DB 6"),
        ("~llama_index/vector_*", "~[a-z]*", "(key of sessions) was allowed"),
        ("~llama_index/vector_*", "~llama_index/vector_* ~*:stats", "matrix:stats"),
        ("~llama_index/vector_*", "", "GET llama_index/vector_matrix (key of vectors) was refused"),
        ("-@scripting", "+eval", "EVAL"),
        ("-@pubsub", "&* +subscribe", "SUBSCRIBE"),
        ("-keys", "+keys", "KEYS *"),
        ("-sort ", "+sort ", "SORT"),
        ("-flushdb", "+flushdb", "FLUSHDB"),
        ("-swapdb", "+swapdb", "SWAPDB"),
        ("-dbsize", "+dbsize", "DBSIZE"),
        ("-scan", "+scan", "SCAN 0"),
    ],
)
def test_the_matrix_notices_a_rule_too_much_or_too_little(
    tmp_path: Path, catalogs: Catalogs, rule: str, instead: str, surprise: str
) -> None:
    server = AccessServer(tmp_path, catalogs)
    lines = server.rendered().splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith(f"user {VICTIM} "))
    head, selector, tail = lines[place].partition("(-@all +@read +@write +watch")
    # The last selectors are those of vectors and models: both get the same change, if both have the rule.
    assert rule in tail
    lines[place] = head + selector + tail.replace(rule, instead)
    server.start("\n".join(lines) + "\n")
    try:
        matrix, outcome = matrix_of(server), Outcome()
        with server.client(HARNESS) as harness:
            matrix.seeds.plant(harness)
            matrix.run(VICTIM, VICTIMS_DATABASE, outcome, destructive=False)
        for case in matrix.select_cases(VICTIM):
            matrix.run_alone(case, outcome)
    finally:
        server.stop()
    assert any(surprise in line for line in outcome.surprises), outcome.surprises
