"""One spelling for users that mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.isolation.canonical import CommandTable, canonical_users, split_user
from autobot_ops.isolation.users import changed_users, plan_user_changes

TABLE = CommandTable(
    {
        "read": frozenset({"get", "keys", "object|freq"}),
        "write": frozenset({"set", "flushdb"}),
        "dangerous": frozenset({"keys", "flushdb", "config|get", "config|set"}),
        "slow": frozenset({"config", "object", "keys", "flushdb", "config|get", "config|set", "object|freq"}),
        "fast": frozenset({"get", "set", "select"}),
    }
)


def canonical(rules: str) -> str:
    return canonical_users([f"user someone {rules}"], TABLE)["someone"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("on +get +set", "on +set +get"),
        ("on ~a ~b", "on ~b ~a"),
        ("on %RW~a", "on ~a"),
        ("on %WR~a", "on ~a"),
        ("on allkeys allchannels allcommands", "on &* ~* +@all"),
        ("on ~a resetkeys ~b", "on ~b"),
        ("off on", "on"),
        ("on +@all -@all +get", "on -@all +get"),
        ("on +config|get +config", "on +config"),
        ("on +GET", "on +get"),
        # As Redis 7.0 says it: other words for the same commands.
        ("on +@read -@dangerous", "on +get +object|freq"),
        ("on +@read +@write -@dangerous", "on -@all +set +@read -keys"),
        ("on +@all", "on +@fast +@slow"),
        ("on +config", "on +config +config|get +config|set"),
        ("on +select|1 +select", "on +select"),
        ("on +select +select|1", "on +select"),
        ("on +select|1 -select", "on"),
        ("on -get +@read -get", "on +@read -get"),
        ("on #aa #bb", "on #bb #aa"),
        ("on #aa resetpass #bb", "on #bb"),
        ("on nopass #aa", "on #aa"),
        ("on #aa !aa #bb", "on #bb"),
        ("on (~a +get) (~b +set)", "on (+set ~b) (+get ~a)"),
        ("on (~a +get) clearselectors", "on"),
        ("+@all ~* reset on", "on"),
        ("on sanitize-payload resetchannels alldbs -@all", "on"),
        ("on resetdbs db=10,2", "on resetdbs db=2,10"),
    ],
)
def test_the_same_rights_have_one_spelling(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("on", "off"),
        ("on +@read -keys", "on -keys +@read"),
        ("on +get", "on +set"),
        ("on ~a", "on %R~a"),
        ("on ~a", "on ~A"),
        ("on ~a &a", "on ~a"),
        ("on #aa", "on #bb"),
        ("on #aa", "on #aa #bb"),
        ("on nopass", "on"),
        ("on +get ~a", "on (+get ~a)"),
        ("on (+get ~a ~b)", "on (+get ~a) (+get ~b)"),
        ("on +select|1", "on +select|2"),
        ("on +config|get", "on +config"),
        ("on +config|get", "on +config|set"),
        ("on +no-such-command", "on"),
        ("on resetdbs", "on alldbs"),
        ("on resetdbs db=1", "on resetdbs db=2"),
        ("on", "on some-rule-of-a-later-server"),
        ("on (+get)", "on (+get some-rule-of-a-later-server)"),
    ],
)
def test_different_rights_are_never_taken_for_the_same(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


RULES = st.lists(
    st.sampled_from(
        [
            "on", "off", "nopass", "#aa", "#bb", "resetpass", "resetkeys", "~a", "%R~a", "%W~b:*",
            "resetchannels", "&c", "+@all", "-@all", "+@read", "-@dangerous", "+get", "-get", "+config",
            "-config|set", "+select|3", "resetdbs", "db=2,1", "alldbs", "clearselectors", "(+get ~a)",
            "(%R~b -@all +@read -keys)",
        ]
    )
)  # fmt: skip


@given(RULES)
def test_a_canonical_text_is_its_own_canonical_text(rules: list[str]) -> None:
    once = canonical(" ".join(rules))
    assert canonical(once) == once


@given(RULES)
def test_a_line_is_split_into_the_rules_that_it_was_made_of(rules: list[str]) -> None:
    assert split_user(f"user someone {' '.join(rules)}") == ("someone", tuple(rules))


@given(RULES, RULES)
def test_a_plan_is_empty_exactly_when_the_rights_are_the_same(server: list[str], file: list[str]) -> None:
    here, there = (f"user someone {' '.join(rules)}" for rules in (server, file))
    plan = plan_user_changes([here], there, TABLE)
    assert (plan == []) is (canonical_users([here], TABLE) == canonical_users([there], TABLE))
    assert plan in ([], [("ACL", "SETUSER", "someone", "reset", *file)])


def test_a_plan_changes_first_and_removes_afterwards() -> None:
    plan = plan_user_changes(
        ["user default on nopass", "user old on", "user same on ~a +get", "user changed on ~a"],
        "user same on +get ~a\nuser changed on ~b\nuser new on (~a +get)\n",
        TABLE,
    )
    assert plan == [
        ("ACL", "SETUSER", "changed", "reset", "on", "~b"),
        ("ACL", "SETUSER", "new", "reset", "on", "(~a +get)"),
        ("ACL", "DELUSER", "old"),
    ]
    assert changed_users(plan) == ["changed", "new", "old"]


@pytest.mark.parametrize("line", ["default on", "user", "user someone (~a"])
def test_refuses_a_line_that_is_no_user(line: str) -> None:
    with pytest.raises(ValueError, match="user"):
        canonical_users([line], TABLE)
