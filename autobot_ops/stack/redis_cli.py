"""redis-cli in the stack's Redis container, as the operator."""

from __future__ import annotations

from autobot_ops.adapters import process
from autobot_ops.isolation.secrets import read_secret, redis_password_name
from autobot_ops.stack.stack import Stack


def open_redis_cli(stack: Stack, number: int) -> None:
    """Become redis-cli on the person's terminal, in one database.

    The password goes through the environment of redis-cli alone: an argument list is readable by
    every process of the host.
    """
    compose = stack.compose_for_looking()
    password = read_secret(stack.settings.secrets_dir, redis_password_name("operator"))
    process.execute(
        compose.command(
            "exec", "--env", "REDISCLI_AUTH", "redis", "redis-cli", "--user", "operator", "-n", str(number)
        ),
        env={**compose.environment, "REDISCLI_AUTH": password},
    )
