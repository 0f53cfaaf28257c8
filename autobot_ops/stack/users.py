"""Give the running Redis of a stack the users that were rendered for it; nobody is disconnected."""

from __future__ import annotations

from autobot_ops.adapters import redis_server
from autobot_ops.isolation.users import apply_user_changes, has_database_rules
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack

OPERATOR = "operator"


def load_users(stack: Stack) -> list[str]:
    """Change the users that differ; their names. A server that has rules for databases gets those too.

    The file on disk is what the server reads when it starts, so write that first. Raises RedisOutOfReach
    and UsersNotLoaded.
    """
    with redis_server.answering(redis_server.dialer(stack, OPERATOR)) as client:
        rendered = render_users(stack, database_rules=has_database_rules(client))
        return apply_user_changes(client, rendered)
