"""An agent killed in the middle of a request, one whose memory runs out, and one cut off from Redis."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait

import httpx
import pytest

from tests.faults import acts, signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault, Sign
from tests.faults.writers import RagWriter
from tests.integration.live import Stack

# Seconds of work for the model.
LONG_TEXT = " ".join(f"Sentence {number} says nothing new about owls." for number in range(12_000))
UNDER_WAY_SECONDS = 1.0
HOG = "blocks = []\nwhile True: blocks.append(b'x' * (32 << 20))"


def test_an_agent_killed_in_the_middle_of_a_request_keeps_all_it_acknowledged(
    survive: Survive, stack: Stack
) -> None:
    document = {"id": "cut-off", "text": LONG_TEXT, "metadata": {"run": "cut-off"}}
    with ThreadPoolExecutor(1) as caller:
        requests: list[Future[httpx.Response]] = []

        def kill_while_it_answers(stack: Stack) -> None:
            url = stack.url("rag", "/rag/documents")
            requests.append(caller.submit(httpx.post, url, json=document, timeout=60))
            done, _ = wait(requests, timeout=UNDER_WAY_SECONDS)
            assert not done, "the request was over before the agent was killed"
            acts.kill("rag-agent")(stack)

        survive(
            Fault(
                "An agent killed in the middle of a request (rag)",
                inject=kill_while_it_answers,
                signs=(signs.writer_refused("rag"), signs.engine_counts_a_restart("rag-agent")),
                recovers_within=150,
                starts_anew=("rag-agent",),
                # The writer waits with the long request for the model.
                answers_within=60,
            )
        )
        with pytest.raises(httpx.TransportError):
            requests[0].result()
    # Nothing of a document that wasn't acknowledged stands in the way of the same one again.
    writer = RagWriter(stack.url("rag", ""))
    writer.post("/rag/documents", document | {"text": "Owls hunt at night."})
    found = writer.post("/rag/query", {"question": "owls", "where": {"run": "cut-off"}})
    assert [each["text"] for each in found["passages"]] == ["Owls hunt at night."]


def test_a_memory_hog_in_a_container_dies_alone(survive: Survive) -> None:
    def let_loose(stack: Stack) -> None:
        container = stack.container("knowledge-agent")
        acts.inside(container, "python", "-c", HOG, codes=(acts.KILLED,))

    survive(
        Fault(
            "Memory limit of a container hit by a hog (knowledge)",
            inject=let_loose,
            signs=(
                Sign(
                    "the engine: knowledge-agent out of memory",
                    lambda scene: bool(scene.stack.container("knowledge-agent").attrs["State"]["OOMKilled"]),
                    20,
                ),
            ),
            recovers_within=20,
        )
    )


def test_an_agent_cut_off_from_redis_says_so_and_the_others_go_on(survive: Survive) -> None:
    survive(
        Fault(
            "Network between an agent and Redis cut (chat)",
            inject=acts.cut_off("chat-agent", "data"),
            signs=(
                signs.only_not_ready("chat", "redis."),
                signs.health_says("chat", "redis.sessions:responseTime", "fail"),
                signs.writer_refused("chat", "Redis can't be reached"),
                signs.status_remarks("chat-agent", "redis.sessions"),
            ),
            mend=acts.join("chat-agent", "data"),
            recovers_within=30,
        )
    )
