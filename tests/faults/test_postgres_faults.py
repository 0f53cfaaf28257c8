"""PostgreSQL killed, frozen, restarted, and replaced by an empty one."""

from __future__ import annotations

from tests.faults import acts, signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault
from tests.faults.ledger import Writer
from tests.faults.writers import KnowledgeWriter
from tests.integration.live import Stack


def test_a_killed_postgresql_is_back_by_itself_with_all_it_acknowledged(survive: Survive) -> None:
    survive(
        Fault(
            "PostgreSQL killed (SIGKILL)",
            inject=acts.kill("postgres"),
            signs=(
                signs.writer_refused_or_held_up("knowledge", "PostgreSQL"),
                signs.engine_counts_a_restart("postgres"),
            ),
            recovers_within=60,
            starts_anew=("postgres",),
        )
    )


def test_a_frozen_postgresql_is_named_by_its_agent_alone_and_nobody_hangs(survive: Survive) -> None:
    survive(
        Fault(
            "PostgreSQL frozen (docker pause)",
            inject=acts.freeze("postgres"),
            signs=(
                signs.only_not_ready("knowledge", "postgres"),
                signs.health_says("knowledge", "postgres:responseTime", "fail"),
                signs.writer_refused("knowledge", "PostgreSQL", within=30),
                signs.status_says("postgres", "paused"),
                signs.status_remarks("knowledge-agent", "postgres"),
            ),
            mend=acts.thaw("postgres"),
            recovers_within=30,
        )
    )


def test_a_restarted_postgresql_keeps_all_it_acknowledged(survive: Survive) -> None:
    survive(
        Fault(
            "PostgreSQL restarted (docker restart)",
            inject=acts.restart("postgres"),
            signs=(
                signs.writer_refused_or_held_up("knowledge", "PostgreSQL"),
                signs.log_says("postgres", "database system is ready to accept connections", 30),
            ),
            recovers_within=60,
            starts_anew=("postgres",),
        )
    )


def test_an_empty_postgresql_is_noticed_and_made_ready(
    survive: Survive, stack: Stack, writers: list[Writer]
) -> None:
    def replace(stack: Stack) -> None:
        container = stack.container("postgres")
        (volume,) = [each["Name"] for each in container.attrs["Mounts"] if each["Type"] == "volume"]
        container.remove(force=True)
        stack.engine.volumes.get(volume).remove()
        stack.inv("up")

    survive(
        Fault(
            "PostgreSQL replaced by an empty one (its entries are gone by intent)",
            inject=replace,
            signs=(
                signs.only_not_ready("knowledge", "postgres", within=30),
                signs.log_says("knowledge-agent", "PostgreSQL lacks the tables", within=60),
            ),
            recovers_within=90,
            starts_anew=("postgres",),
        ),
        writing=[each for each in writers if not isinstance(each, KnowledgeWriter)],
    )
    late = KnowledgeWriter(stack.url("knowledge", ""))
    assert late.missing([late.write(0)]) == []
