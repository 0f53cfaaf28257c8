"""Who may do what on Redis, out of the server's own answers. Pure.

The server is asked by ACL DRYRUN, which runs nothing, so that its own judgement counts and not our
reading of rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autobot_ops.isolation.canonical import CommandTable, canonical_users, split_user
from autobot_ops.isolation.roles import DEFAULT_USER
from autobot_ops.security.facts import RedisUsers

ALLOWED = "OK"
ABSENT = "no user"
UNKNOWN_COMMAND = "not found"


class UnclearAnswer(ValueError):
    """The server neither allowed nor refused a command."""


def parse_users(
    lines: Sequence[str], table: CommandTable, answers: Mapping[str, Mapping[str, str]]
) -> RedisUsers:
    """Facts from the lines of `ACL LIST`, and for each user the answers to commands by their text.

    Raises UnclearAnswer.
    """
    rules = dict(split_user(line) for line in lines if line.strip())
    return RedisUsers(
        names=frozenset(rules),
        passwordless=frozenset(name for name, each in rules.items() if {"on", "nopass"} <= set(each)),
        default_rights=canonical_users(lines, table).get(DEFAULT_USER, ABSENT),
        dangerous={user: tuple(_allowed(user, each)) for user, each in answers.items()},
    )


def _allowed(user: str, answers: Mapping[str, str]) -> Iterable[str]:
    for command, answer in answers.items():
        if answer == ALLOWED:
            yield command
        # A command that this server doesn't have can't be run by anybody.
        elif "no permissions" not in answer and UNKNOWN_COMMAND not in answer:
            raise UnclearAnswer(f"whether '{user}' may run {command}: {answer}")
