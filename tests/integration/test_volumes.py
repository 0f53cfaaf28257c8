"""Agents' data volumes on the live stack: what they hold is what the catalog says, and rag's comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autobot_ops.backup.volumes import archive_volume, inventory
from autobot_ops.restore.volumes import VolumeRestore
from autobot_ops.settings import load_settings
from autobot_ops.stack import stack as stack_module
from autobot_ops.stack.volumes import data_volume
from tests.integration.conftest import Stack

pytestmark = pytest.mark.usefixtures("own_stack")

READY_SECONDS = 120


class Archive:
    """Where a tar file goes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.chunks.append(data)


@pytest.fixture
def opened(stack: Stack, root: Path) -> stack_module.Stack:
    return stack_module.open_stack(root, load_settings(root, {"AUTOBOT_PROJECT": stack.project}))


@pytest.fixture
def rag(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url("rag", ""), timeout=60) as client:
        yield client


def wait_until_ready(agent: httpx.Client) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if agent.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


def documents(rag: httpx.Client, question: str) -> set[str]:
    answer = rag.post("/rag/query", json={"question": question})
    assert answer.status_code == 200, answer.text
    return {passage["document_id"] for passage in answer.json()["passages"]}


def test_a_volume_that_the_catalog_calls_empty_is_empty(opened: stack_module.Stack) -> None:
    without = [name for name, agent in opened.catalogs.agents.items() if agent.volume is None]
    assert without
    for name in without:
        assert inventory(data_volume(opened, f"{name}-agent")).files == 0


def test_a_deleted_document_comes_back_with_its_volume(opened: stack_module.Stack, rag: httpx.Client) -> None:
    put = rag.post("/rag/documents", json={"id": "volume:tides", "text": "The moon pulls the oceans."})
    assert put.status_code == 201, put.text
    volume = data_volume(opened, "rag-agent")
    archive = Archive()
    content = archive_volume(volume, archive)
    wait_until_ready(rag)
    assert rag.delete("/rag/documents/volume:tides").status_code == 204
    restore = VolumeRestore(volume, "live")
    restore.stage(archive.chunks, content)
    assert "volume:tides" not in documents(rag, "What does the moon do?")
    restore.exchange()
    wait_until_ready(rag)
    assert "volume:tides" in documents(rag, "What does the moon do?")
    restore.undo()
    wait_until_ready(rag)
    assert "volume:tides" not in documents(rag, "What does the moon do?")
    assert inventory(volume).files
