"""Users of a running server change one by one, while their connections go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.isolation.canonical import CommandTable, canonical_users
from autobot_ops.isolation.users import (
    UsersNotLoaded,
    apply_user_changes,
    has_database_rules,
    list_users,
    load_command_table,
    plan_user_changes,
)
from tests.access.servers import HARNESS, AccessServer, available_servers


@pytest.fixture(scope="module")
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


@pytest.fixture(params=available_servers())
def server(request: pytest.FixtureRequest, tmp_path: Path, catalogs: Catalogs) -> Iterator[AccessServer]:
    server = AccessServer(tmp_path, catalogs, request.param)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connections(server: AccessServer) -> Iterator[dict[str, Any]]:
    """One open connection of each agent and each role that may PING."""
    users = (*server.catalogs.agents, "operator", "monitor", "migrate", "restore")
    opened = {user: server.connection(user) for user in users}
    yield opened
    for connection in opened.values():
        connection.disconnect()


def survivors(connections: dict[str, Any]) -> set[str]:
    """Whose connections still answer."""
    found = set()
    for user, connection in connections.items():
        try:
            connection.send_command("PING")
            connection.read_response()
        except redis.ConnectionError:
            continue
        found.add(user)
    return found


def users_of(server: AccessServer) -> list[str]:
    with server.client(HARNESS) as client:
        return list_users(client)


def table_of(server: AccessServer) -> CommandTable:
    with server.client(HARNESS) as client:
        return load_command_table(client)


def with_harness(server: AccessServer, rendered: str) -> str:
    return rendered + server.harness_line


def test_what_the_server_lists_is_what_the_file_says(server: AccessServer) -> None:
    rendered = with_harness(server, server.rendered())
    table = table_of(server)
    assert canonical_users(users_of(server), table) == canonical_users(rendered.splitlines(), table)
    assert plan_user_changes(users_of(server), rendered, table) == []


def test_a_changed_password_is_one_changed_user_and_nobody_is_disconnected(
    server: AccessServer, connections: dict[str, Any]
) -> None:
    rendered = with_harness(server, server.rendered(chat=("the new one", server.passwords["chat"])))
    with server.client("operator") as client:
        assert apply_user_changes(client, rendered) == ["chat"]
        assert apply_user_changes(client, rendered) == []
    assert survivors(connections) == set(connections)


def test_two_passwords_are_valid_while_one_is_rotated(server: AccessServer) -> None:
    former = server.passwords["chat"]

    def accepted(password: str) -> bool:
        server.passwords["chat"] = password
        try:
            with server.client("chat") as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return False

    for valid, expected in (((former, "new"), (True, True)), (("new",), (False, True))):
        with server.client("operator") as client:
            apply_user_changes(client, with_harness(server, server.rendered(chat=valid)))
        assert (accepted(former), accepted("new")) == expected


def test_a_user_that_the_catalogs_dont_have_is_removed_and_disconnected(
    server: AccessServer, connections: dict[str, Any]
) -> None:
    rendered = "\n".join(line for line in server.rendered().splitlines() if not line.startswith("user npu "))
    with server.client("operator") as client:
        assert apply_user_changes(client, with_harness(server, rendered + "\n")) == ["npu"]
    assert survivors(connections) == set(connections) - {"npu"}


def test_rules_that_somebody_changed_by_hand_are_put_right(server: AccessServer) -> None:
    with server.client(HARNESS) as harness:
        harness.execute_command("ACL", "SETUSER", "rag", "~*", "+@all")
        harness.execute_command("ACL", "SETUSER", "guest", "on", "nopass", "~*", "+@all")
        harness.execute_command("ACL", "SETUSER", "default", "+get", "~*")
    with server.client("operator") as client:
        changed = apply_user_changes(client, with_harness(server, server.rendered()))
    assert changed == ["default", "rag", "guest"]
    assert (
        plan_user_changes(users_of(server), with_harness(server, server.rendered()), table_of(server)) == []
    )


def test_the_operator_can_change_itself(server: AccessServer, connections: dict[str, Any]) -> None:
    with server.client("operator") as client:
        rendered = with_harness(server, server.rendered(operator=("another",)))
        assert apply_user_changes(client, rendered) == ["operator"]
        assert client.ping()
    assert survivors(connections) == set(connections)


def test_refuses_rules_that_the_server_does_not_know_and_keeps_the_user_whole(server: AccessServer) -> None:
    before = users_of(server)
    rendered = with_harness(server, server.rendered()).replace("+client|info", "+no-such-command")
    with server.client("operator") as client, pytest.raises(UsersNotLoaded, match="refuses the user 'chat'"):
        apply_user_changes(client, rendered)
    assert users_of(server) == before


def test_somebody_who_may_not_change_users_is_told_what_to_do(server: AccessServer) -> None:
    with server.client("chat") as client, pytest.raises(UsersNotLoaded, match="doesn't let") as caught:
        has_database_rules(client)
    assert "inv restart redis" in caught.value.hint


def test_whether_there_are_rules_for_databases_is_tried_and_leaves_nothing_behind(
    server: AccessServer,
) -> None:
    before = users_of(server)
    with server.client("operator") as client:
        assert has_database_rules(client) is server.name.startswith("valkey")
    assert users_of(server) == before


def test_rules_for_databases_are_added_while_agents_are_connected(
    server: AccessServer, connections: dict[str, Any]
) -> None:
    with server.client("operator") as client:
        bound = has_database_rules(client)
        rendered = with_harness(server, server.rendered(database_rules=bound))
        # Only the operator's rights mean the same in both: every database.
        expected = {*server.catalogs.agents, "default", "monitor", "backup", "migrate", "restore"}
        assert set(apply_user_changes(client, rendered)) == (expected if bound else set())
        assert plan_user_changes(users_of(server), rendered, table_of(server)) == []
    assert survivors(connections) == set(connections)


def test_acl_load_on_redis_7_disconnects_everybody(server: AccessServer, connections: dict[str, Any]) -> None:
    # The reason why nothing here uses it. Newer servers keep the connections of users that stay the same.
    with server.client(HARNESS) as harness:
        harness.acl_load()
    assert survivors(connections) == (set() if server.name == "redis-7" else set(connections))


RULES = st.lists(
    st.sampled_from(
        [
            "on", "off", "nopass", "resetpass", "#" + "a" * 64, "resetkeys", "~a:*", "%R~b:*", "%W~c:*",
            "resetchannels", "&d:*", "+@read", "-@read", "+@write", "-@dangerous", "+@connection", "-@slow",
            "+@all", "-@all", "+get", "-get", "+config", "-config|set", "+client|id", "-keys", "+select|3",
            "+select", "+object", "-sort_ro", "clearselectors", "(~x:* +get)",
            "(%R~y:* -@all +@read -keys +select|4)",
        ]
    ),
    max_size=12,
)  # fmt: skip


@pytest.fixture(scope="module", params=available_servers())
def lasting_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, catalogs: Catalogs
) -> Iterator[AccessServer]:
    server = AccessServer(tmp_path_factory.mktemp(request.param), catalogs, request.param)
    server.start()
    yield server
    server.stop()


@settings(max_examples=200, deadline=None)
@given(rules=RULES)
def test_whatever_rules_a_user_gets_the_server_says_the_same_in_its_own_words(
    lasting_server: AccessServer, rules: list[str]
) -> None:
    with lasting_server.client(HARNESS) as harness:
        harness.execute_command("ACL", "SETUSER", "someone", "reset", *rules)
        (listed,) = [line for line in list_users(harness) if line.startswith("user someone ")]
        table = load_command_table(harness)
    assert canonical_users([listed], table) == canonical_users([f"user someone {' '.join(rules)}"], table)
