"""Containers that end badly, don't come back, or lose what they were given."""

from __future__ import annotations

from tests.integration.live import Stack
from tests.sabotage.model import Act, Sabotage
from tests.sabotage.spoiling import in_turn, recreate, remove, up_again

# The agent that starts fastest: it loads no model.
AGENT = "knowledge-agent"
AGENT_ENTRYPOINT = "/app/docker/base/scripts/agent-entrypoint.sh"
NAMELESS = {"type": "volume", "target": "/data"}
"""A volume of this one container: the next one gets another."""


def in_container(service: str, *command: str) -> Act:
    """Run a command in a container, as its own user."""

    def apply(stack: Stack) -> None:
        done = stack.container(service).exec_run(list(command))
        if done.exit_code:
            raise RuntimeError(f"{' '.join(command)} ended with {done.exit_code}: {done.output!r}")

    return apply


SABOTAGES = (
    Sabotage(
        (14,),
        "a root that can be written to",
        recreate(AGENT, read_only=False),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (14,),
        "a data volume that can't be written to",
        in_container(AGENT, "chmod", "0500", "/app/data"),
        in_container(AGENT, "chmod", "0755", "/app/data"),
        only="knowledge",
    ),
    Sabotage(
        (19,),
        "an agent that lets no request finish when it is stopped",
        recreate(AGENT, environment={"SHUTDOWN_GRACE_SECONDS": "0"}),
        up_again,
    ),
    Sabotage(
        (19,),
        "a service that doesn't hear when it is told to stop",
        recreate("redis", stop_signal="SIGWINCH", stop_grace_period="3s"),
        up_again,
    ),
    Sabotage(
        (20,),
        "an agent that is the first process itself, without an init",
        recreate(AGENT, entrypoint=[AGENT_ENTRYPOINT], command=["python", "-m", "src.agents"]),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (21,),
        "a service that nobody starts again",
        recreate(AGENT, restart="no"),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (22,),
        "a container without a limit of memory",
        recreate(AGENT, mem_limit=0, memswap_limit=0),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (23,),
        "a Redis whose data are in a volume without a name",
        # Made anew, a container would keep the volume of the former one at this place.
        in_turn(remove("redis"), recreate("redis", volumes=[NAMELESS])),
        up_again,
    ),
)
