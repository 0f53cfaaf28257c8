"""Let a running Redis read its users again."""

from __future__ import annotations

from autobot_ops.adapters import process
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.secrets import read_secret, redis_password_name
from autobot_ops.stack.stack import Stack


class UsersNotLoaded(ServiceUnreachable):
    """Redis refused the file of its users and keeps the former ones."""


def load_users(stack: Stack) -> None:
    """ACL LOAD as operator, inside the container. Redis takes the whole file or nothing of it.

    The password goes through standard input: no argument list or environment has it.
    """
    password = read_secret(stack.settings.secrets_dir, redis_password_name("operator"))
    compose = stack.compose()
    answers = process.query(
        compose.command("exec", "--no-TTY", "redis", "redis-cli"),
        env=compose.environment,
        cwd=compose.root,
        input_text=f"AUTH operator {password}\nACL LOAD\n",
        timeout=30,
    ).split()
    if answers != ["OK", "OK"]:
        # The answer may quote the file's lines; the log of Redis has it.
        raise UsersNotLoaded(
            "Redis did not load its users",
            hint="inv logs redis says why; inv restart redis reads the file again.",
        )
