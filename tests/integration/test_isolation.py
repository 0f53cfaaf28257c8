"""Databases are apart on the live stack: what the catalogs don't grant, its Redis refuses."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
import testinfra
from testinfra.backend.base import CommandResult

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
# that was written through one of them is seen through the others.
MANAGER_SCRIPT = """
import json, sys
from redis.exceptions import NoPermissionError
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


def ask_manager(stack: Stack, agent_name: str) -> dict[str, Any]:
    catalogs = stack.catalogs
    keys = {name: key_of(catalogs, name) for name in catalogs.databases}
    writable = [
        name
        for name, right in catalogs.agent(agent_name).databases.items()
        if right is AccessRight.READ_WRITE
    ]
    command = ["python", "-c", MANAGER_SCRIPT, json.dumps(keys), json.dumps(writable)]
    inside = testinfra.get_host(f"docker://{stack.project}-{agent_name}-agent")
    answer: dict[str, Any] = json.loads(inside.check_output(shlex.join(command)))
    return answer


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


@pytest.mark.usefixtures("own_stack")
def test_each_client_of_the_manager_is_at_its_number_or_refused(stack: Stack, agent_name: str) -> None:
    within_reach = databases_within_reach(stack, agent_name)
    assert ask_manager(stack, agent_name)["numbers"] == {
        name: row.number if name in within_reach else "refused"
        for name, row in stack.catalogs.databases.items()
    }


def test_connections_of_an_agent_are_in_granted_databases_only(
    stack: Stack, operator: redis.Redis, agent_name: str
) -> None:
    granted = {stack.catalogs.databases[name].number for name in stack.catalogs.agent(agent_name).databases}
    found = {int(each["db"]) for each in operator.client_list() if each["user"] == agent_name}
    assert found
    assert found <= granted


@pytest.mark.usefixtures("own_stack")
def test_what_is_written_through_the_manager_is_seen_in_its_database_only(
    stack: Stack, agent_name: str
) -> None:
    within_reach = databases_within_reach(stack, agent_name)
    seen = ask_manager(stack, agent_name)["seen"]
    assert seen
    for written, by_database in seen.items():
        assert by_database == {
            name: "planted" if name == written else None if name in within_reach else "refused"
            for name in stack.catalogs.databases
        }, written


@pytest.mark.usefixtures("own_stack")
def test_a_key_is_in_the_database_that_it_was_written_to_and_in_no_other(
    stack: Stack, live: Redis, database_name: str
) -> None:
    key, number = key_of(stack.catalogs, database_name), stack.catalogs.databases[database_name].number
    with live.client("operator", number) as client:
        client.set(key, "planted", ex=600)
    found = []
    for each in range(live.stack.settings.redis_databases):
        with live.client("operator", each) as client:
            found += [each] * bool(client.exists(key))
    with live.client("operator", number) as client:
        client.delete(key)
    assert found == [number]


def test_no_user_does_more_or_less_than_the_catalogs_say(
    stack: Stack, live: Redis, operator: redis.Redis, seeds: Seeds, record_property: RecordProperty
) -> None:
    oracle = Oracle(stack.catalogs, has_database_rules(operator), live.stack.settings.redis_databases)
    matrix, outcome = Matrix(oracle, seeds, live.connection), Outcome()
    began = time.monotonic()
    planted = seeds.contents(operator)
    for user in oracle.users:
        for number in matrix.numbers_of(user):
            matrix.run(user, number, outcome, destructive=False)
            outcome.surprises += matrix.unexpected_changes(user, planted, seeds.contents(operator))
            seeds.plant(operator)
        for case in matrix.select_cases(user):
            matrix.run_alone(case, outcome)
    record_property("access matrix on the live stack", f"{outcome}, {time.monotonic() - began:.0f} s")
    assert outcome.surprises == []
    assert outcome.total > 10_000


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


def psql(stack: Stack, role: str, statements: str) -> CommandResult:
    """Run statements as the superuser, or as a service's role with its password over the network."""
    password, where = "", "user=postgres dbname=autobot"
    if role != "postgres":
        password = f"PGPASSWORD=$(cat /run/secrets/postgres_{role}_password) "
        where = f"host=127.0.0.1 user={role} dbname=autobot"
    inside = testinfra.get_host(f"docker://{stack.project}-postgres")
    command = shlex.join(["psql", "-qtA", "-v", "ON_ERROR_STOP=1", where, "-c", statements])
    return inside.run(f"{password}{command}")


@pytest.fixture
def foreign_schema(own_stack: Stack) -> Iterator[None]:
    """A schema of another service, beside that of knowledge."""
    planted = psql(
        own_stack,
        "postgres",
        "CREATE SCHEMA foreign_service; CREATE TABLE foreign_service.secrets (word text);"
        "INSERT INTO foreign_service.secrets VALUES ('theirs')",
    )
    assert planted.rc == 0, planted.stderr
    yield
    psql(own_stack, "postgres", "DROP SCHEMA foreign_service CASCADE")


def test_a_role_reads_its_own_schema(stack: Stack) -> None:
    assert psql(stack, "knowledge", "SELECT count(*) >= 0 FROM knowledge.entries").stdout == "t\n"


@pytest.mark.usefixtures("foreign_schema")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT word FROM foreign_service.secrets",
        "INSERT INTO foreign_service.secrets VALUES ('ours')",
        "CREATE TABLE foreign_service.planted ()",
        "CREATE TABLE public.planted ()",
        "CREATE SCHEMA planted",
        "SET ROLE postgres",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_a_role_is_refused_what_belongs_to_others(stack: Stack, statement: str) -> None:
    assert psql(stack, "postgres", "SELECT word FROM foreign_service.secrets").stdout == "theirs\n"
    answer = psql(stack, "knowledge", statement)
    assert answer.rc != 0
    assert "permission denied" in answer.stderr or "must be superuser" in answer.stderr
