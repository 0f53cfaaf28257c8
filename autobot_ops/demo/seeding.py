"""Write the demonstration's keys into a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import redis

from autobot_ops.demo.legacy_keys import Command
from autobot_ops.errors import ExternalCommandFailed

PIPELINE = 1000


class NotSeeded(ExternalCommandFailed):
    """The server refused a command."""


def write_commands(
    client: redis.Redis, commands: Iterable[Command], on_progress: Callable[[int], None]
) -> int:
    """Send all commands, a thousand at a time; how many. `on_progress` gets the number so far.

    Raises NotSeeded at the first refused one; what was written stays.
    """
    remaining = iter(commands)
    sent = 0
    while batch := list(islice(remaining, PIPELINE)):
        pipeline = client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        try:
            pipeline.execute()
        except redis.ResponseError as error:
            raise NotSeeded(
                f"the server refused a command: {error}",
                hint="Database 0 should be empty, and the server have room: inv database.list.",
            ) from error
        sent += len(batch)
        on_progress(sent)
    return sent
