"""Agents' data volumes on the live stack: what they hold is what the catalog says, and rag's comes back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from autobot_ops.backup.volumes import archive_volume, inventory
from autobot_ops.restore.volumes import VolumeRestore
from autobot_ops.stack.volumes import data_volume
from tests.chunks import Chunks
from tests.integration.conftest import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("own_stack")

READY_SECONDS = 120


@pytest.fixture
def rag(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url("rag", ""), timeout=60) as client:
        yield client


def wait_until_ready(agent: httpx.Client) -> None:
    def is_ready() -> bool:
        try:
            return agent.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    wait_until(is_ready, "the agent is ready", READY_SECONDS)


def documents(rag: httpx.Client, question: str) -> set[str]:
    answer = rag.post("/rag/query", json={"question": question})
    assert answer.status_code == 200, answer.text
    return {passage["document_id"] for passage in answer.json()["passages"]}


def test_a_volume_that_the_catalog_calls_empty_is_empty(stack: Stack) -> None:
    without = [name for name, agent in stack.catalogs.agents.items() if agent.volume is None]
    assert without
    for name in without:
        assert inventory(data_volume(stack.opened, f"{name}-agent")).files == 0


def test_a_deleted_document_comes_back_with_its_volume(stack: Stack, rag: httpx.Client) -> None:
    put = rag.post("/rag/documents", json={"id": "volume:tides", "text": "The moon pulls the oceans."})
    assert put.status_code == 201, put.text
    volume = data_volume(stack.opened, "rag-agent")
    archive = Chunks()
    content = archive_volume(volume, archive)
    wait_until_ready(rag)
    assert rag.delete("/rag/documents/volume:tides").status_code == 204
    restore = VolumeRestore(volume, "live")
    restore.stage(archive, content)
    assert "volume:tides" not in documents(rag, "What does the moon do?")
    restore.exchange()
    wait_until_ready(rag)
    assert "volume:tides" in documents(rag, "What does the moon do?")
    restore.undo()
    wait_until_ready(rag)
    assert "volume:tides" not in documents(rag, "What does the moon do?")
    assert inventory(volume).files
