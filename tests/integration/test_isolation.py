"""Databases are apart on the live stack: what the catalogs don't grant, its Redis refuses."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from autobot_ops.adapters import redis_server
from autobot_ops.catalog import AccessRight, Catalogs
from autobot_ops.isolation.canonical import canonical_users
from autobot_ops.isolation.users import has_database_rules, list_users, load_command_table
from autobot_ops.settings import load_settings
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack as OperatedStack
from tests.access.matrix import STAGING_NUMBER, UNKNOWN_NUMBER, Matrix, Outcome
from tests.access.oracle import DEFAULT, Oracle
from tests.access.seeds import Seeds
from tests.access.servers import open_connection
from tests.conftest import ROOT
from tests.integration.conftest import Stack

RecordProperty = Callable[[str, object], None]

# Runs inside an agent's container: the number that each client of the manager is at, and where a value
# that was written through one of them is seen through the others. A password on standard input is the
# operator's: then every client may write.
MANAGER_SCRIPT = """
import json, os, sys
from redis.exceptions import NoPermissionError
password = sys.stdin.read()
if password:
    os.environ |= {"REDIS_USERNAME": "operator", "REDIS_PASSWORD": password}
    del os.environ["REDIS_PASSWORD_FILE"]
from src.utils.redis_database_manager import RedisDatabaseManager

keys, writable = json.loads(sys.argv[1]), json.loads(sys.argv[2])
manager = RedisDatabaseManager()

def tried(act):
    try:
        return act()
    except NoPermissionError:
        return "refused"

numbers = {name: tried(lambda: manager.get_connection(name).client_info()["db"]) for name in keys}
seen = {}
for written in writable:
    manager.get_connection(written).set(keys[written], "planted")
    seen[written] = {name: tried(lambda: manager.get_connection(name).get(keys[written])) for name in keys}
    manager.get_connection(written).delete(keys[written])
print(json.dumps({"numbers": numbers, "seen": seen}))
"""


@dataclass(frozen=True)
class Redis:
    """The stack's Redis as each of its users reaches it."""

    stack: OperatedStack

    def client(self, user: str, number: int = 0) -> redis.Redis:
        """A client of a user; `default` gives no password."""
        client = redis_server.dialer(self.stack, "operator" if user == DEFAULT else user)(number)
        if user == DEFAULT:
            del client.connection_pool.connection_kwargs["credential_provider"]
        return client

    def connection(self, user: str) -> Any:
        """An open connection of a user in database 0."""
        return open_connection(self.client(user))


@pytest.fixture(scope="module")
def live(stack: Stack) -> Redis:
    return Redis(OperatedStack(load_settings(ROOT, stack.environment), stack.catalogs))


@pytest.fixture(scope="module")
def operator(live: Redis) -> Iterator[redis.Redis]:
    with live.client("operator") as client:
        yield client


@pytest.fixture
def seeds(own_stack: Stack, operator: redis.Redis) -> Iterator[Seeds]:
    """Keys of every database in every database, which are gone afterwards."""
    numbers = [row.number for row in own_stack.catalogs.databases.values()]
    planted = Seeds(own_stack.catalogs, (*numbers, UNKNOWN_NUMBER, STAGING_NUMBER))
    planted.plant(operator)
    yield planted
    planted.remove(operator)


def key_of(catalogs: Catalogs, database_name: str) -> str:
    return Seeds(catalogs, ()).names(database_name)["key"] + "-of-the-manager"


def ask_manager(stack: Stack, agent_name: str, writable: Iterable[str], password: str = "") -> dict[str, Any]:
    """What the manager in an agent's container says; it writes to the databases named `writable` only."""
    # Two agents may write to one database at the same time: each has keys of its own.
    keys = {name: f"{key_of(stack.catalogs, name)}-of-{agent_name}" for name in stack.catalogs.databases}
    done = subprocess.run(
        [
            *("docker", "exec", "--interactive", f"{stack.project}-{agent_name}-agent"),
            *("python", "-c", MANAGER_SCRIPT, json.dumps(keys), json.dumps(list(writable))),
        ],
        input=password, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.obligation(9)
def test_the_server_has_exactly_the_users_that_the_catalogs_call_for(
    live: Redis, operator: redis.Redis
) -> None:
    table = load_command_table(operator)
    rendered = render_users(live.stack, database_rules=has_database_rules(operator))
    assert canonical_users(list_users(operator), table) == canonical_users(rendered.splitlines(), table)


def databases_within_reach(stack: Stack, agent_name: str) -> set[str]:
    """Granted ones, and the one at 0: a connection begins there, without asking. Key patterns guard it."""
    granted = stack.catalogs.agent(agent_name).databases
    return {name for name, row in stack.catalogs.databases.items() if name in granted or row.number == 0}


# ---- through the manager ------------------------------------------------------------------------


def writable_by(stack: Stack, agent_name: str) -> list[str]:
    rights = stack.catalogs.agent(agent_name).databases
    return [name for name, right in rights.items() if right is AccessRight.READ_WRITE]


@pytest.fixture(scope="module")
def managers(own_stack: Stack) -> dict[str, dict[str, Any]]:
    """What the manager in each agent's container says, which writes wherever its agent may; all at once."""
    agents = list(own_stack.catalogs.agents)
    with ThreadPoolExecutor(max_workers=len(agents)) as pool:
        found = pool.map(lambda name: ask_manager(own_stack, name, writable_by(own_stack, name)), agents)
        return dict(zip(agents, found, strict=True))


@pytest.mark.obligation(7)
def test_each_client_of_the_manager_is_at_its_number_or_refused(
    stack: Stack, managers: dict[str, dict[str, Any]], agent_name: str
) -> None:
    within_reach = databases_within_reach(stack, agent_name)
    assert managers[agent_name]["numbers"] == {
        name: row.number if name in within_reach else "refused"
        for name, row in stack.catalogs.databases.items()
    }


@pytest.mark.obligation(7)
def test_connections_of_an_agent_are_in_granted_databases_only(
    stack: Stack, operator: redis.Redis, agent_name: str
) -> None:
    granted = {stack.catalogs.databases[name].number for name in stack.catalogs.agent(agent_name).databases}
    found = {int(each["db"]) for each in operator.client_list() if each["user"] == agent_name}
    assert found
    assert found <= granted


@pytest.fixture(scope="module")
def all_pairs(own_stack: Stack) -> dict[str, Any]:
    """The manager with the operator's rights: every database written, and read through every other one."""
    encrypting = next(iter(own_stack.catalogs.agents))
    password = (own_stack.secrets_dir / "redis_operator_password").read_text().strip()
    return ask_manager(own_stack, encrypting, own_stack.catalogs.databases, password)


@pytest.mark.obligation(7)
def test_every_database_is_mapped_to_its_number(stack: Stack, all_pairs: dict[str, Any]) -> None:
    assert all_pairs["numbers"] == {name: row.number for name, row in stack.catalogs.databases.items()}


@pytest.mark.obligation(8)
def test_what_is_written_through_the_manager_is_seen_in_that_database_only(
    stack: Stack, all_pairs: dict[str, Any], database_name: str
) -> None:
    assert all_pairs["seen"][database_name] == {
        name: "planted" if name == database_name else None for name in stack.catalogs.databases
    }


@pytest.mark.obligation(8)
def test_what_an_agent_writes_is_seen_in_that_database_only(
    stack: Stack, managers: dict[str, dict[str, Any]], agent_name: str
) -> None:
    within_reach = databases_within_reach(stack, agent_name)
    seen = managers[agent_name]["seen"]
    assert list(seen) == writable_by(stack, agent_name)
    for written, by_database in seen.items():
        assert by_database == {
            name: "planted" if name == written else None if name in within_reach else "refused"
            for name in stack.catalogs.databases
        }, written


@pytest.mark.obligation(8)
@pytest.mark.usefixtures("own_stack")
def test_a_key_is_in_the_database_that_it_was_written_to_and_in_no_other(
    stack: Stack, live: Redis, database_name: str
) -> None:
    key, number = key_of(stack.catalogs, database_name), stack.catalogs.databases[database_name].number
    with live.client("operator", number) as client:
        client.set(key, "planted", ex=600)
        found = []
        for each in range(live.stack.settings.redis_databases):
            client.execute_command("SELECT", each)
            found += [each] * bool(client.exists(key))
        client.execute_command("SELECT", number)
        client.delete(key)
    assert found == [number]


# ---- what the server refuses --------------------------------------------------------------------


def replies(live: Redis, user: str, *commands: str) -> list[str]:
    """What the server says to each command of one connection, which begins in database 0."""
    connection = live.connection(user)
    said = []
    try:
        for command in commands:
            connection.send_command(*command.split())
            try:
                said.append(str(connection.read_response()))
            except redis.ResponseError as error:
                said.append(f"{type(error).__name__}: {error}")
    finally:
        connection.disconnect()
    return said


def allowed_ones(live: Redis, user: str, commands: Iterable[str]) -> list[str]:
    """Those of the commands that weren't refused for want of rights."""
    tried = list(commands)
    said = replies(live, user, *tried)
    return [
        f"{command} → {reply}"
        for command, reply in zip(tried, said, strict=True)
        if not reply.startswith("NoPermissionError")
    ]


@pytest.mark.obligation(9)
def test_an_agent_is_refused_every_database_that_it_is_not_granted(
    stack: Stack, live: Redis, seeds: Seeds, agent_name: str
) -> None:
    granted = {stack.catalogs.databases[name].number for name in stack.catalogs.agent(agent_name).databases}
    others = set(range(live.stack.settings.redis_databases)) - granted
    assert len(others) > len(stack.catalogs.databases) / 2
    assert allowed_ones(live, agent_name, (f"SELECT {number}" for number in sorted(others))) == []


@pytest.mark.obligation(9)
def test_an_agent_is_refused_foreign_keys_in_database_0(
    stack: Stack, live: Redis, seeds: Seeds, agent_name: str
) -> None:
    foreign = set(stack.catalogs.databases) - set(stack.catalogs.agent(agent_name).databases)
    keys = [seeds.names(name)["key"] for name in sorted(foreign)]
    tried = [f"{command.format(key)}" for key in keys for command in ("GET {}", "SET {} x", "DEL {}")]
    assert tried
    assert allowed_ones(live, agent_name, tried) == []


@pytest.mark.obligation(9)
def test_an_agent_is_refused_what_reaches_beyond_its_keys(
    stack: Stack, live: Redis, seeds: Seeds, agent_name: str
) -> None:
    own = next(iter(stack.catalogs.agent(agent_name).databases))
    key = seeds.names(own)["key"]
    tried = [
        *("FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "SHUTDOWN NOSAVE", "MONITOR"),
        *("CONFIG GET dir", "CONFIG SET maxmemory 0", "ACL LIST", "REPLICAOF 127.0.0.1 1", "BGSAVE"),
        # Inside a script a key of its own is refused as well, and so is the way around the key.
        *(f"EVAL return(redis.call('GET',KEYS[1])) 1 {key}", "EVAL return(redis.call('FLUSHALL')) 0"),
        *("EVAL return(redis.call('SELECT','1')) 0", "SCRIPT LOAD return(1)", "FUNCTION LIST"),
    ]
    assert allowed_ones(live, agent_name, tried) == []


@pytest.mark.obligation(11)
def test_an_agent_moves_nothing_between_databases(
    stack: Stack, live: Redis, operator: redis.Redis, seeds: Seeds, agent_name: str
) -> None:
    before = seeds.contents(operator)
    for name, right in stack.catalogs.agent(agent_name).databases.items():
        own, key = stack.catalogs.databases[name].number, seeds.names(name)["key"]
        # Into a database that it may use as well, where it may use one: that gives it no right either.
        granted = [
            stack.catalogs.databases[each].number for each in stack.catalogs.agent(agent_name).databases
        ]
        tried = [
            command
            for number in {*granted, 0, UNKNOWN_NUMBER} - {own}
            for command in (
                *(f"SWAPDB {own} {number}", f"MOVE {key} {number}", f"COPY {key} {key} DB {number} REPLACE"),
                f"MIGRATE 127.0.0.1 6379 {key} {number} 1000 COPY REPLACE",
            )
        ]
        select = [f"SELECT {own}"] * (own != 0)
        assert allowed_ones(live, agent_name, [*select, *tried]) == [f"{each} → b'OK'" for each in select], (
            right
        )
    assert seeds.contents(operator) == before


@pytest.mark.obligation(9)
@pytest.mark.obligation(11)
def test_no_agent_does_more_or_less_than_the_catalogs_say(
    stack: Stack, live: Redis, operator: redis.Redis, seeds: Seeds, record_property: RecordProperty
) -> None:
    oracle = Oracle(stack.catalogs, has_database_rules(operator), live.stack.settings.redis_databases)
    matrix, outcome = Matrix(oracle, seeds, live.connection), Outcome()
    began = time.monotonic()
    planted = seeds.contents(operator)
    # The other users' rules are the same text as on the servers of tests/component/test_access_matrix.py,
    # which the first test here says of the live one; those of agents are tried again where they hold.
    for user in (DEFAULT, *stack.catalogs.agents):
        for number in matrix.numbers_of(user):
            matrix.run(user, number, outcome, destructive=False)
            outcome.surprises += matrix.unexpected_changes(user, planted, seeds.contents(operator))
            seeds.plant(operator)
        for case in matrix.select_cases(user):
            matrix.run_alone(case, outcome)
    record_property("access matrix on the live stack", f"{outcome}, {time.monotonic() - began:.0f} s")
    assert outcome.surprises == []
    assert outcome.total > 10_000


@pytest.mark.obligation(10)
def test_emptying_the_testing_database_leaves_the_others_identical(
    stack: Stack, live: Redis, operator: redis.Redis, seeds: Seeds
) -> None:
    testing = stack.catalogs.databases["testing"].number
    before = seeds.contents(operator)
    assert any(number == testing for number, _ in before)
    with live.client("operator", testing) as client:
        client.flushdb()
        assert client.dbsize() == 0
    assert seeds.contents(operator) == {place: dump for place, dump in before.items() if place[0] != testing}
