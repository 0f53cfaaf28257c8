"""The users of a running stack's Redis: compare them with the catalogs, and change those that differ."""

from __future__ import annotations

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.isolation.observation import observe
from autobot_ops.isolation.users import (
    apply_user_changes,
    changed_users,
    has_database_rules,
    plan_user_changes,
)
from autobot_ops.ports import Dialer
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack


def serves_database_rules(dial: Dialer) -> bool:
    """Whether the server can bind a user to databases by number."""
    with dial(0) as client:
        return has_database_rules(client)


def differing_users(stack: Stack) -> list[str]:
    """Users whose rights on the server are not those of the catalogs. Raises RedisOutOfReach."""
    dial = dialer(stack, "operator")
    rendered = render_users(stack, database_rules=serves_database_rules(dial))
    return changed_users(plan_user_changes(observe(dial).users, rendered))


def load_users(stack: Stack) -> list[str]:
    """Give the running server the catalogs' users; names of those that differed.

    Connections of every user live on. Raises UsersNotLoaded, RedisOutOfReach.
    """
    dial = dialer(stack, "operator")
    rendered = render_users(stack, database_rules=serves_database_rules(dial))
    with dial(0) as client:
        return apply_user_changes(client, rendered)
