"""Bring the users of a running server to what was rendered, one command for each user that differs.

Not by ACL LOAD: on Redis 7.0 that disconnects every client, whether its user changed or not. ACL
SETUSER replaces one user at one stroke and lets its connections live: requests go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import redis

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.canonical import CommandTable, canonical_users, split_user
from autobot_ops.isolation.roles import DEFAULT_USER

PROBE = "capability-probe"
"""Name of a user that is never made."""


class UsersNotLoaded(ServiceUnreachable):
    """Redis refused a change of its users; what it had accepted before stays."""


def plan_user_changes(
    server_users: Iterable[str], rendered: str, table: CommandTable
) -> list[tuple[str, ...]]:
    """Commands that make the server's users those of the rendered file; empty if they are. Pure.

    `server_users` are the lines of `ACL LIST`, `table` is the server's. Users that differ come first, then
    those that the file doesn't have are removed, which disconnects them. `default` can't be removed, and
    is always in the file. The commands hold hashes of passwords: don't show them.
    """
    lines = [line for line in rendered.splitlines() if line.strip()]
    present, wanted = canonical_users(server_users, table), canonical_users(lines, table)
    changes: list[tuple[str, ...]] = []
    for line in lines:
        name, rules = split_user(line)
        if present.get(name) != wanted[name]:
            changes.append(("ACL", "SETUSER", name, "reset", *rules))
    removed = sorted(present.keys() - wanted.keys() - {DEFAULT_USER})
    return changes + [("ACL", "DELUSER", name) for name in removed]


def changed_users(changes: Iterable[Sequence[str]]) -> list[str]:
    """Names of the users that a plan changes or removes, which may be shown."""
    return [change[2] for change in changes]


def users_that_differ(client: redis.Redis, rendered: str) -> list[str]:
    """Names of the server's users that aren't what was rendered, or that one of the two sides lacks."""
    return changed_users(plan_user_changes(list_users(client), rendered, load_command_table(client)))


def apply_user_changes(client: redis.Redis, rendered: str) -> list[str]:
    """Observe, plan, change and verify; names of the users that differed. `client` is the operator's.

    Raises UsersNotLoaded, also if the server doesn't have the rendered users afterwards. A failure or
    crash in between leaves each user whole, old or new, and a second run goes on.
    """
    table = load_command_table(client)
    changes = plan_user_changes(list_users(client), rendered, table)
    for change in changes:
        try:
            client.execute_command(*change)  # type: ignore[no-untyped-call]
        except redis.exceptions.NoPermissionError as error:
            raise _not_allowed(error) from error
        except redis.ResponseError as error:
            raise UsersNotLoaded(
                f"redis refuses the user '{change[2]}': {error}",
                hint="Were the rules rendered for another server? inv database.check compares them.",
            ) from error
    if changes and (left := users_that_differ(client, rendered)):
        raise UsersNotLoaded(
            f"redis has other rules than it was given for: {', '.join(left)}",
            hint="Somebody else may have changed them meanwhile: inv database.check shows what differs.",
        )
    return changed_users(changes)


def has_database_rules(client: redis.Redis) -> bool:
    """Whether the server knows `resetdbs` and `db=N`. Changes nothing.

    Tried, not concluded from a version: the second rule doesn't exist anywhere, so the user is never
    made, and the server's complaint names the first rule that it doesn't know. Raises UsersNotLoaded for
    somebody who may not change users.
    """
    try:
        client.execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", PROBE, "resetdbs", "+no-such-command"
        )
    except redis.exceptions.NoPermissionError as error:
        raise _not_allowed(error) from error
    except redis.ResponseError as error:
        return "'+no-such-command'" in str(error)
    raise UsersNotLoaded(
        "redis accepted a rule that doesn't exist", hint=f"Remove the user '{PROBE}' and look at the server."
    )


def list_users(client: redis.Redis) -> list[str]:
    """The lines of `ACL LIST`. With hashes of passwords: don't show them."""
    return [_text(line) for line in client.acl_list()]


def load_command_table(client: redis.Redis) -> CommandTable:
    """The server's commands by category: about twenty questions, sent at once."""
    names = [_text(name) for name in client.acl_cat()]
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.acl_cat(name)
    answers = pipeline.execute()
    return CommandTable(
        {name: frozenset(map(_text, commands)) for name, commands in zip(names, answers, strict=True)}
    )


def _not_allowed(error: redis.exceptions.NoPermissionError) -> UsersNotLoaded:
    # A server that was started by an earlier version, whose operator could not.
    return UsersNotLoaded(
        f"redis doesn't let the operator change users: {error}",
        hint="inv restart redis reads the users that lie on disk.",
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
