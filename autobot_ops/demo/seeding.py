"""Write the demonstration's keys into a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import redis

from autobot_ops.catalog.models import Database
from autobot_ops.catalog.routing import make_router
from autobot_ops.demo.legacy_keys import COUNTER, Command, first_counter
from autobot_ops.errors import ExternalCommandFailed, RefusedForSafety
from autobot_ops.ports import Dialer

PIPELINE = 1000


class FactsInTheWay(RefusedForSafety):
    """The stack has facts of its own, under the names of the demonstration's."""


class NotSeeded(ExternalCommandFailed):
    """The server refused a command."""


def refuse_used(dial: Dialer, databases: Mapping[str, Database]) -> None:
    """Raise FactsInTheWay where the knowledge agent has stored something: what is seeded couldn't move there.

    Its counter tells, and the one of a demonstration that was moved is no hindrance.
    """
    name = make_router(databases).route(COUNTER.encode())
    if name is None or databases[name].number == 0:
        return
    with dial(databases[name].number) as client:
        found = client.get(COUNTER)
    if found is not None and found != str(first_counter()).encode():
        raise FactsInTheWay(
            f"the knowledge agent's facts are in '{name}' under names of the demonstration's keys",
            hint="They would collide in inv migrate. Use a stack of its own: AUTOBOT_PROJECT=demo inv up, "
            "or a server of its own: --url redis://…",
        )


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
                hint="What was written stays. Does the server have room, and does nobody else write there? "
                "inv database.list",
            ) from error
        sent += len(batch)
        on_progress(sent)
    return sent
