"""Redis killed, frozen, restarted, full."""

from __future__ import annotations

import pytest
import redis

from autobot_ops.adapters.redis_server import dialer
from tests.faults import acts, signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault
from tests.integration.live import Stack

ROOM_BYTES = 4 * 1024 * 1024
MOST_PUSHES = 16
MEMORY_ALERT = '"memory"'


def test_a_killed_redis_is_back_by_itself_with_all_it_acknowledged(survive: Survive) -> None:
    survive(
        Fault(
            "Redis killed (SIGKILL)",
            inject=acts.kill("redis"),
            signs=(signs.writer_refused("redis"), signs.engine_counts_a_restart("redis")),
            recovers_within=60,
            starts_anew=("redis",),
        )
    )


def test_a_frozen_redis_is_named_by_every_agent_and_nobody_hangs(survive: Survive) -> None:
    survive(
        Fault(
            "Redis frozen (docker pause)",
            inject=acts.freeze("redis"),
            signs=(
                signs.all_not_ready("redis."),
                signs.health_says("chat", "redis.sessions:responseTime", "fail"),
                signs.writer_refused("chat", "Redis can't be reached", within=30),
                signs.status_says("redis", "paused"),
                signs.status_remarks("chat-agent", "redis.sessions"),
            ),
            mend=acts.thaw("redis"),
            recovers_within=30,
            # Redis' own client waits as an operator does; it isn't an agent that hangs.
            answers_within=70,
        )
    )


def test_a_restarted_redis_keeps_all_it_acknowledged(survive: Survive) -> None:
    survive(
        Fault(
            "Redis restarted (docker restart)",
            inject=acts.restart("redis"),
            signs=(signs.writer_refused("redis"), signs.log_says("redis", "Ready to accept connections", 30)),
            recovers_within=60,
            starts_anew=("redis",),
        )
    )


def test_a_full_redis_is_told_from_one_that_is_away(survive: Survive, stack: Stack) -> None:
    dial = dialer(stack.opened, "operator")
    with dial(stack.catalogs.databases["testing"].number) as operator:
        before = operator.config_get("maxmemory")["maxmemory"]

        def fill(_stack: Stack) -> None:
            operator.config_set("maxmemory", operator.info("memory")["used_memory"] + ROOM_BYTES)
            for _ in range(MOST_PUSHES):
                try:
                    operator.rpush("test:filler", b"x" * ROOM_BYTES)
                except redis.OutOfMemoryError:
                    return
            pytest.fail("a full Redis took what there is no room for")

        def empty(_stack: Stack) -> None:
            operator.config_set("maxmemory", before)
            operator.delete("test:filler")

        survive(
            Fault(
                "Redis' memory full (maxmemory)",
                inject=fill,
                signs=(
                    signs.writer_refused("redis", "maxmemory"),
                    signs.writer_refused("chat", "Redis is full"),
                    signs.inv_says(MEMORY_ALERT, "database.list", "--json", within=30),
                ),
                mend=empty,
                recovers_within=30,
            )
        )
