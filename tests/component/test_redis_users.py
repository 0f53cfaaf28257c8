"""Who may do what in Redis: every user, tried on a real server with the rendered users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from autobot_ops.catalog import AccessRight, Catalogs, load_catalogs
from tests.component.users_server import UsersServer
from tests.conftest import ROOT

CATALOGS = load_catalogs(ROOT)
PAIRS = [(agent, database) for agent in CATALOGS.agents for database in CATALOGS.databases]

REACHING_OUT = (
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 6", "KEYS *", "SCAN 0", "DBSIZE", "RANDOMKEY", "CONFIG GET *",
    "CONFIG SET maxmemory 0", "CONFIG REWRITE", "SHUTDOWN NOSAVE", "MONITOR",
    "EVAL return(1) 0", "EVAL redis.call('select',1) 0", "SCRIPT LOAD return(1)", "FUNCTION LIST",
    "FCALL f 0", "SUBSCRIBE x", "PSUBSCRIBE *", "PUBLISH x y", "PUBSUB CHANNELS", "ACL LIST",
    "ACL SETUSER me", "ACL LOAD", "CLIENT LIST", "CLIENT KILL ID 1", "CLIENT PAUSE 1", "CLIENT TRACKING ON",
    "SAVE", "BGSAVE", "BGREWRITEAOF", "LASTSAVE", "REPLICAOF NO ONE", "SYNC", "PSYNC ? -1", "INFO",
    "SLOWLOG GET", "LATENCY LATEST", "MEMORY STATS", "MODULE LIST", "CLUSTER INFO", "COMMAND COUNT",
    "WAIT 0 1",
)  # fmt: skip

EXPECTED_WITHOUT_KEYS = {
    "acl|whoami", "auth", "client|getname", "client|id", "client|info", "client|setname", "discard", "echo",
    "exec", "hello", "multi", "ping", "quit", "reset", "unwatch",
}  # fmt: skip


def key_of(database_name: str, catalogs: Catalogs = CATALOGS) -> str:
    """A key that the database's first pattern covers."""
    return catalogs.databases[database_name].key_patterns[0].replace("*", "matrix")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsersServer]:
    """One server for the module; tests write below keys of their own."""
    running = UsersServer(tmp_path_factory.mktemp("users"), CATALOGS)
    running.start()
    yield running
    running.stop()


def refused(client: redis.Redis, command: str) -> bool:
    """Whether the server denies the command for lack of rights (an error of another kind isn't a refusal)."""
    try:
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return True
    return False


@pytest.mark.parametrize(("agent_name", "database_name"), PAIRS)
def test_an_agent_reaches_exactly_what_the_catalog_grants(
    server: UsersServer, agent_name: str, database_name: str
) -> None:
    right = CATALOGS.agents[agent_name].databases.get(database_name)
    number, key = CATALOGS.databases[database_name].number, key_of(database_name)
    with server.client(agent_name) as client:
        assert refused(client, f"SELECT {number}") is (right is None)
        assert refused(client, f"GET {key}") is (right is None or not right.reads)
        assert refused(client, f"SET {key} x") is (right is None or not right.writes)
        assert refused(client, f"INCR {key}-n") is (right is not AccessRight.READ_WRITE)


@pytest.mark.parametrize("agent_name", CATALOGS.agents)
def test_an_agent_that_selects_nothing_cannot_use_database_0_for_others_keys(
    server: UsersServer, agent_name: str
) -> None:
    foreign = [name for name in CATALOGS.databases if name not in CATALOGS.agents[agent_name].databases]
    assert foreign
    with server.client(agent_name) as client:
        for key in ("anything", "ping", *map(key_of, foreign)):
            assert refused(client, f"SET {key} x"), key
            assert refused(client, f"GET {key}"), key


@pytest.mark.parametrize("agent_name", CATALOGS.agents)
@pytest.mark.parametrize("command", REACHING_OUT)
def test_an_agent_is_refused_what_reaches_beyond_its_keys(
    server: UsersServer, agent_name: str, command: str
) -> None:
    with server.client(agent_name) as client:
        assert refused(client, command)


@pytest.mark.parametrize("agent_name", CATALOGS.agents)
def test_an_agent_cannot_carry_its_own_keys_elsewhere(server: UsersServer, agent_name: str) -> None:
    own = key_of(next(iter(CATALOGS.agents[agent_name].databases)))
    with server.client(agent_name) as client:
        for command in (
            f"MOVE {own} 15",
            f"COPY {own} {own} DB 15",
            f"COPY {own} {own}2",
            f"MIGRATE 127.0.0.1 1 {own} 0 100",
            f"RESTORE {own} 0 x",
            f"SORT {own} BY x* GET secret*",
            f"RENAME {own} foreign",
        ):
            assert refused(client, command), command


@pytest.mark.parametrize("agent_name", CATALOGS.agents)
def test_what_an_agent_may_do_without_keys_is_known_completely(server: UsersServer, agent_name: str) -> None:
    with server.client("operator") as operator:
        allowed = {
            name
            for name, arity in commands_without_keys(operator)
            if operator.execute_command("ACL", "DRYRUN", agent_name, *name.split("|"), *["1"] * arity) == "OK"
        }
    # SELECT is judged by its number, above.
    assert allowed - {"select"} == EXPECTED_WITHOUT_KEYS


def commands_without_keys(operator: redis.Redis) -> Iterator[tuple[str, int]]:
    """Every command and subcommand that takes no key, with the count of arguments that it needs."""
    operator.response_callbacks.pop("COMMAND")  # redis-py's own form leaves the subcommands out
    queue = list(operator.execute_command("COMMAND"))  # type: ignore[no-untyped-call]
    while queue:
        row = queue.pop()
        name, arity, key_specifications, subcommands = row[0], row[1], row[8], row[9]
        queue += subcommands
        if not key_specifications and not subcommands and "movablekeys" not in row[2]:
            yield name, max(0, abs(arity) - len(name.split("|")))


def test_an_agents_transaction_stays_inside_its_rights(server: UsersServer) -> None:
    with server.client("chat") as client:
        client.execute_command("MULTI")
        assert refused(client, "SELECT 1")
        with pytest.raises(redis.exceptions.ExecAbortError):
            client.execute_command("EXEC")


def test_one_password_does_not_open_another_user(server: UsersServer) -> None:
    with (
        redis.Redis(port=server.port, username="rag", password=server.passwords["chat"]) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_without_a_password_one_may_ping_and_nothing_else(server: UsersServer) -> None:
    with redis.Redis(port=server.port) as client:
        assert client.ping()
        for command in ("GET x", "SET x 1", "SELECT 1", "INFO", "CLIENT LIST", "ACL WHOAMI", "PUBLISH x y"):
            assert refused(client, command), command


def test_the_monitor_sees_figures_and_no_key(server: UsersServer) -> None:
    with server.client("monitor") as client:
        assert client.info()["redis_version"]
        assert client.client_list()
        assert client.slowlog_get() is not None
        for command in (
            "GET cache:x",
            "SET cache:x 1",
            "KEYS *",
            "SCAN 0",
            "CONFIG GET *",
            "FLUSHALL",
            "DUMP x",
        ):
            assert refused(client, command), command


def test_the_backup_user_takes_the_stream_and_nothing_else(server: UsersServer) -> None:
    with server.client("backup") as client:
        assert client.execute_command("REPLCONF", "capa", "eof") in {"OK", True}
        for command in ("GET cache:x", "KEYS *", "INFO", "CONFIG GET *", "SELECT 1", "FLUSHALL", "ACL LIST"):
            assert refused(client, command), command


def test_the_operator_cannot_lock_anybody_out(server: UsersServer) -> None:
    with server.client("operator") as client:
        assert "user chat" in "\n".join(client.acl_list())
        assert client.execute_command("ACL", "LOAD")
    with server.client("operator") as client:
        for command in (
            "ACL SETUSER x on",
            "ACL DELUSER chat",
            "SHUTDOWN",
            "REPLICAOF NO ONE",
        ):
            assert refused(client, command), command


def test_transactions_survive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = UsersServer(tmp_path_factory.mktemp("restart"), CATALOGS)
    server.start()
    try:
        with server.client("chat") as client, client.pipeline(transaction=True) as pipeline:
            pipeline.set("cache:one", "1").set("cache:two", "2").execute()
        server.stop()
        server.start()
        with server.client("chat") as client:
            assert client.mget("cache:one", "cache:two") == ["1", "2"]
        with server.client("operator") as client:
            assert "starter" not in client.acl_users()
    finally:
        server.stop()
