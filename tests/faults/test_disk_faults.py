"""The disk of a volume full: Redis' and an agent's.

Both on stand-ins with small disks. PostgreSQL's is left out: what a full disk does to its log is not certain.
"""

from __future__ import annotations

from docker.models.containers import Container

from autobot_ops.adapters.redis_server import Endpoint, dialer_to
from tests.faults import acts, signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault, Sign, wait_until_well
from tests.faults.ledger import Writer
from tests.faults.stand_in import address, in_place_of, stand_in, with_agent
from tests.faults.writers import RagWriter, RedisWriter
from tests.integration.live import Stack


def test_a_redis_with_a_full_disk_refuses_writes_and_keeps_what_it_has(
    survive: Survive, stack: Stack, writers: list[Writer]
) -> None:
    with (
        stand_in(stack, "redis", disk="96m", alias="redis") as small,
        in_place_of(stack, "redis", small) as on,
    ):
        dial = dialer_to(Endpoint(address(small), 6379), stack.secrets_dir, "chat")
        number = stack.catalogs.databases["agents"].number
        others = [each for each in writers if not isinstance(each, RedisWriter)]
        survive(
            Fault(
                "Disk of Redis' volume full",
                inject=acts.fill(lambda: small, "/data"),
                signs=(
                    signs.writer_refused("redis", "MISCONF"),
                    signs.writer_refused("chat", "Redis can't save what it is given"),
                    signs.all_not_ready("MISCONF"),
                    Sign("health check of redis: MISCONF", lambda _: "MISCONF" in health_of(small), 10),
                ),
                mend=acts.clear(lambda: small, "/data"),
                recovers_within=30,
            ),
            on=on,
            writing=[*others, RedisWriter(lambda: dial(number))],
        )
    wait_until_well(stack)


def test_an_agent_with_a_full_disk_says_so_and_keeps_what_it_has(survive: Survive, stack: Stack) -> None:
    with stand_in(stack, "rag-agent", disk="96m") as small:
        on = with_agent(stack, "rag", small)
        survive(
            Fault(
                "Disk of an agent's volume full (rag)",
                inject=acts.fill(lambda: small, "/app/data"),
                signs=(
                    signs.health_says("rag", "disk:utilization", "fail"),
                    signs.writer_refused("rag"),
                ),
                mend=acts.clear(lambda: small, "/app/data"),
                recovers_within=30,
            ),
            on=on,
            writing=[RagWriter(on.url("rag", ""))],
        )


def health_of(container: Container) -> str:
    """What the health check of the service compares with PONG."""
    _, output = container.exec_run(["redis-cli", "ping"])
    assert isinstance(output, bytes)
    return output.decode()
