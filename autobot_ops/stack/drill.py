"""Throwaway servers for this stack's restore drills."""

from __future__ import annotations

from autobot_ops.adapters.containers import engine_facts
from autobot_ops.backup.drill import ContainerDrill
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.stack.stack import Stack


class NoRedisImage(ServiceUnreachable):
    """The stack has no container of Redis, so nobody says which image is its own."""


def container_drill(stack: Stack) -> ContainerDrill:
    """Drills in the image that the stack's Redis has, with half of the engine's memory at the most.

    Raises NoRedisImage and DaemonUnreachable.
    """
    redis = stack.observe().get("redis")
    if redis is None:
        raise NoRedisImage("the stack has no container of redis", hint="Run inv up, then this again.")
    memory = engine_facts(stack.client).memory // 2
    return ContainerDrill(redis.image, stack.settings.project, memory, stack.settings.redis_databases)
