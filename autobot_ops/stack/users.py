"""The users of a running stack's Redis: compare them with the catalogs, and change those that differ."""

from __future__ import annotations

from autobot_ops.adapters.redis_server import answering, dialer
from autobot_ops.isolation.users import (
    apply_user_changes,
    has_database_rules,
    list_users,
    load_command_table,
    plan_user_changes,
)
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack


def plan_users(stack: Stack) -> list[tuple[str, ...]]:
    """Commands that would make the server's users those of the catalogs. Raises RedisOutOfReach.

    They hold hashes of passwords: don't show them.
    """
    with answering(dialer(stack, "operator")) as client:
        rendered = render_users(stack, database_rules=has_database_rules(client))
        return plan_user_changes(list_users(client), rendered, load_command_table(client))


def load_users(stack: Stack) -> list[str]:
    """Give the running server the catalogs' users; names of those that differed.

    Connections of every user live on. Raises UsersNotLoaded, RedisOutOfReach.
    """
    with answering(dialer(stack, "operator")) as client:
        return apply_user_changes(client, render_users(stack, database_rules=has_database_rules(client)))
