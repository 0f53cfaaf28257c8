"""The users of Redis as they are rendered from the catalogs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from autobot_ops.catalog import AccessRight, Catalogs, load_catalogs
from autobot_ops.catalog.models import LAST_CATALOG_NUMBER, RESERVED_USERS, AccessControl
from autobot_ops.isolation.access_levels import commands_of
from autobot_ops.isolation.acl import CONNECTION_RULES, agent_rules, granted_patterns, render_acl
from autobot_ops.isolation.canonical import split_user
from autobot_ops.isolation.roles import DEFAULT_USER, role_rules
from autobot_ops.isolation.secrets import OPERATOR_ROLES

READ, WRITE, READ_WRITE = AccessRight.READ, AccessRight.WRITE, AccessRight.READ_WRITE
STRICT, MODERATE, BASIC = AccessControl.STRICT, AccessControl.MODERATE, AccessControl.BASIC


@pytest.fixture
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


def passwords(catalogs: Catalogs) -> dict[str, tuple[str, ...]]:
    return {user: (f"password of {user}",) for user in (*catalogs.agents, *OPERATOR_ROLES)}


def render(catalogs: Catalogs, *, database_rules: bool = False) -> dict[str, tuple[str, ...]]:
    text = render_acl(catalogs, passwords(catalogs), server_databases=32, database_rules=database_rules)
    return dict(split_user(line) for line in text.splitlines())


def test_there_is_a_user_for_each_agent_and_each_role_and_the_default_one(catalogs: Catalogs) -> None:
    assert list(render(catalogs)) == [DEFAULT_USER, *OPERATOR_ROLES, *catalogs.agents]


def test_every_role_has_a_password_file_and_its_name_is_reserved(catalogs: Catalogs) -> None:
    assert set(role_rules(catalogs, 32, database_rules=False)) == set(OPERATOR_ROLES)
    assert set(RESERVED_USERS) == {DEFAULT_USER, *OPERATOR_ROLES}


def test_default_may_ping_and_has_no_password(catalogs: Catalogs) -> None:
    assert render(catalogs)[DEFAULT_USER] == (
        "on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping",
    )  # fmt: skip


def test_passwords_are_in_the_file_as_hashes_only(catalogs: Catalogs) -> None:
    text = render_acl(catalogs, passwords(catalogs), server_databases=32)
    for (word,) in passwords(catalogs).values():
        assert word not in text
        assert hashlib.sha256(word.encode()).hexdigest() in text


def test_two_passwords_are_both_in_the_file(catalogs: Catalogs) -> None:
    both = passwords(catalogs) | {"chat": ("old", "new")}
    (line,) = re.findall("^user chat .*$", render_acl(catalogs, both, server_databases=32), re.MULTILINE)
    assert len(re.findall(r"#[0-9a-f]{64}\b", line)) == 2


def test_refuses_a_user_without_a_password(catalogs: Catalogs) -> None:
    with pytest.raises(ValueError, match="'chat' has no password"):
        render_acl(catalogs, passwords(catalogs) | {"chat": ()}, server_databases=32)
    with pytest.raises(KeyError):
        render_acl(catalogs, {}, server_databases=32)


def test_an_agent_selects_exactly_its_databases(catalogs: Catalogs) -> None:
    users = render(catalogs)
    for name, agent in catalogs.agents.items():
        numbers = {int(found) for found in re.findall(r"\+select\|(\d+)", " ".join(users[name]))}
        assert numbers == {catalogs.databases[database].number for database in agent.databases}


def test_a_right_covers_no_pattern_that_matches_another_databases_keys(catalogs: Catalogs) -> None:
    metrics = catalogs.databases["metrics"]
    assert "*:stats" in metrics.key_patterns
    assert granted_patterns(metrics) == ("autobot:sandbox:metrics:*",)
    assert not any("~*:stats" in rule for rules in render(catalogs).values() for rule in rules)


def test_with_database_rules_every_selector_is_bound_to_its_number(catalogs: Catalogs) -> None:
    users = render(catalogs, database_rules=True)
    for name, agent in catalogs.agents.items():
        assert "resetdbs" in users[name]
        selectors = [rule for rule in users[name] if rule.startswith("(")]
        bound = [re.findall(r" resetdbs db=([\d,]+) ", selector) for selector in selectors]
        assert bound == [[str(catalogs.databases[database].number)] for database in agent.databases]
        assert "select|" not in " ".join(selectors)


def test_restore_may_select_staging_databases_only(catalogs: Catalogs) -> None:
    rules = role_rules(catalogs, 20, database_rules=False)["restore"]
    assert re.findall(r"select\|(\d+)", rules) == ["16", "17", "18", "19"]
    assert LAST_CATALOG_NUMBER == 15


def test_nobody_is_told_which_keys_change_in_all_databases(catalogs: Catalogs) -> None:
    for name in catalogs.agents:
        assert "tracking" not in " ".join(render(catalogs)[name])


@pytest.mark.parametrize(
    ("right", "expected"), [(READ, "%R~test:*"), (WRITE, "%W~test:*"), (READ_WRITE, "~test:*")]
)
def test_a_right_becomes_the_kind_of_its_key_patterns(
    catalogs: Catalogs, right: AccessRight, expected: str
) -> None:
    agent = catalogs.agents["chat"].model_copy(update={"databases": {"testing": right}})
    assert agent_rules(agent, catalogs).endswith(f" +select|15 {expected})")


def test_an_agent_without_databases_reaches_none(catalogs: Catalogs) -> None:
    agent = catalogs.agents["chat"].model_copy(update={"databases": {}})
    assert agent_rules(agent, catalogs) == " ".join(("-@all", *CONNECTION_RULES))


def rules_of(level: AccessControl, right: AccessRight) -> set[str]:
    return set(commands_of(level, right))


def test_a_strict_level_names_each_command() -> None:
    for right in AccessRight:
        assert all(re.fullmatch(r"\+[a-z]+", rule) for rule in commands_of(STRICT, right))


def test_the_levels_differ_for_every_right() -> None:
    for right in AccessRight:
        assert len({commands_of(level, right) for level in AccessControl}) == len(AccessControl)


def test_only_who_reads_and_writes_may_watch() -> None:
    for level in AccessControl:
        assert [right for right in AccessRight if "+watch" in commands_of(level, right)] == [READ_WRITE]


def test_a_reader_gets_no_writing_commands_at_any_level() -> None:
    assert "+set" not in rules_of(STRICT, READ)
    assert "+@write" not in rules_of(MODERATE, READ) | rules_of(BASIC, READ)


def test_a_writer_asks_about_its_keys_only_where_access_is_basic() -> None:
    assert "+exists" not in rules_of(STRICT, WRITE)
    assert "+@read" not in rules_of(MODERATE, WRITE)
    assert "+@read" in rules_of(BASIC, WRITE)


def test_denials_come_after_what_they_are_taken_from() -> None:
    for level in (MODERATE, BASIC):
        for right in AccessRight:
            signs = [rule[0] for rule in commands_of(level, right)]
            assert signs == sorted(signs)  # "+" sorts before "-"
