"""Passwords of a running Redis are changed by themselves, one command for each user that differs."""

from __future__ import annotations

import pytest

from autobot_ops.isolation.acl import password_rule
from autobot_ops.isolation.user_passwords import PasswordsNotLoaded, plan_passwords

OLD, NEW = password_rule("old"), password_rule("new")
SERVER = [
    "user default on nopass sanitize-payload resetchannels -@all +ping",
    f"user chat on {OLD} ~chat:* resetchannels -@all +get",
    f"user rag on {OLD} ~rag:* resetchannels -@all +get",
]


def test_adds_a_password_beside_the_old_one_in_one_command() -> None:
    changes = plan_passwords(SERVER, {"chat": ("old", "new"), "rag": ("old",)})
    assert changes == [("ACL", "SETUSER", "chat", "resetpass", OLD, NEW)]


def test_removes_the_old_password() -> None:
    server = [SERVER[0], f"user chat on {OLD} {NEW} ~chat:* resetchannels -@all +get"]
    assert plan_passwords(server, {"chat": ("new",)}) == [("ACL", "SETUSER", "chat", "resetpass", NEW)]


def test_changes_nothing_where_the_same_passwords_hold_in_another_order() -> None:
    server = [f"user chat on {NEW} {OLD} ~chat:* resetchannels -@all +get"]
    assert plan_passwords(server, {"chat": ("old", "new")}) == []


def test_never_makes_a_user() -> None:
    with pytest.raises(PasswordsNotLoaded, match="no user 'knowledge'"):
        plan_passwords(SERVER, {"knowledge": ("old",)})


def test_a_command_holds_no_password() -> None:
    ((*_, last),) = plan_passwords(SERVER, {"chat": ("secret",)})
    assert "secret" not in last
