"""The users of Redis as text. What the server makes of them is tried in tests/component."""

from __future__ import annotations

import hashlib

import pytest

from autobot_ops.catalog import AccessRight, Catalogs, load_catalogs
from autobot_ops.isolation.acl import ROLE_RULES, agent_rules, render_acl
from autobot_ops.isolation.secrets import OPERATOR_ROLES
from tests.conftest import ROOT

CATALOGS = load_catalogs(ROOT)
PASSWORDS = {user: f"password-of-{user}" for user in (*CATALOGS.agents, *OPERATOR_ROLES)}


@pytest.fixture
def lines() -> dict[str, str]:
    text = render_acl(CATALOGS, PASSWORDS)
    assert text.endswith("\n")
    return {line.split()[1]: line for line in text.splitlines()}


def test_there_is_a_user_for_each_agent_and_role_and_no_other(lines: dict[str, str]) -> None:
    assert list(lines) == ["default", *ROLE_RULES, *CATALOGS.agents]


def test_default_may_ping_and_nothing_else(lines: dict[str, str]) -> None:
    assert lines["default"] == "user default on nopass resetkeys resetchannels -@all +ping"


def test_passwords_stand_there_as_digests_only(lines: dict[str, str]) -> None:
    for user, password in PASSWORDS.items():
        assert f" #{hashlib.sha256(password.encode()).hexdigest()} " in lines[user]
        assert password not in "".join(lines.values())


def test_one_database_of_one_agent() -> None:
    selector = next(rule for rule in agent_rules(CATALOGS.agents["chat"], CATALOGS) if "prompt:" in rule)
    assert selector == (
        "(-@all +@read +@write +watch -@dangerous -@admin -@scripting -@pubsub -keys -scan -randomkey "
        "-dbsize -move -copy -swapdb -migrate -sort -sort_ro -flushdb -flushall -restore -wait -lolwut "
        "+select|2 %R~prompt:* %R~autobot:prompts:*)"
    )


@pytest.mark.parametrize(
    ("right", "expected"),
    [(AccessRight.READ, "%R~test:*"), (AccessRight.WRITE, "%W~test:*"), (AccessRight.READ_WRITE, " ~test:*")],
)
def test_a_right_becomes_the_kind_of_its_key_patterns(right: AccessRight, expected: str) -> None:
    agent = CATALOGS.agents["chat"].model_copy(update={"databases": {"testing": right}})
    assert expected in agent_rules(agent, CATALOGS)[-1]


def test_an_agent_without_databases_reaches_none(lines: dict[str, str]) -> None:
    agent = CATALOGS.agents["chat"].model_copy(update={"databases": {}})
    assert not [rule for rule in agent_rules(agent, CATALOGS) if "~" in rule or "select" in rule]


def test_a_missing_password_is_no_open_door() -> None:
    catalogs: Catalogs = CATALOGS
    with pytest.raises(KeyError, match="chat"):
        render_acl(catalogs, {name: word for name, word in PASSWORDS.items() if name != "chat"})
