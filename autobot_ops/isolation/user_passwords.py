"""Bring the passwords of a running server's users in line; rules and connections stay as they are.

Not by ACL LOAD, which disconnects every client of Redis 7.0. ACL SETUSER replaces all passwords of a
user at one stroke, so there is no moment at which a valid one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import redis

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.acl import password_rule


class PasswordsNotLoaded(ServiceUnreachable):
    """Redis refused a password, or doesn't know a user at all."""


def plan_passwords(
    server_users: Iterable[str], passwords: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Commands for the users whose passwords differ; empty if none does. Pure.

    `server_users` are the lines of `ACL LIST`. The commands hold hashes of passwords: don't show them.
    Raises PasswordsNotLoaded for a user that the server doesn't have: it would be made without rules.
    """
    present = {
        words[1]: frozenset(word for word in words if word.startswith("#"))
        for words in (line.split() for line in server_users)
    }
    changes: list[tuple[str, ...]] = []
    for user, valid in passwords.items():
        hashes = tuple(map(password_rule, valid))
        if user not in present:
            raise PasswordsNotLoaded(
                f"redis has no user '{user}'", hint="Bring its users in line with the catalogs: inv up"
            )
        if present[user] != frozenset(hashes):
            changes.append(("ACL", "SETUSER", user, "resetpass", *hashes))
    return changes


def apply_passwords(client: redis.Redis, passwords: Mapping[str, tuple[str, ...]]) -> None:
    """Observe, plan, change. `client` is the operator's; `passwords` are all that hold, by user.

    A failure or crash in between leaves each user's passwords whole, old or new.
    """
    for change in plan_passwords(_list_users(client), passwords):
        try:
            client.execute_command(*change)  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            raise PasswordsNotLoaded(
                f"redis refuses new passwords for '{change[2]}': {error}",
                hint="The operator must be allowed to change users: inv config.check compares them.",
            ) from error


def _list_users(client: redis.Redis) -> list[str]:
    return [line.decode() if isinstance(line, bytes) else str(line) for line in client.acl_list()]
