"""What is checked of the host before a start, with real sockets and a real disk."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from autobot_ops.adapters import host
from autobot_ops.stack import preflight
from autobot_ops.stack.compose import PublishedPort, Service
from autobot_ops.stack.preflight import (
    GIBIBYTE,
    DiskFull,
    MemoryTooSmall,
    PortTaken,
    check_disk,
    check_memory,
    check_ports,
)
from tests.free_ports import free_port

ADDRESS = "127.0.0.1"
CHAT = Service("chat-agent", "autobot-chat-agent", "image", (), (), 0)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_free_and_nobody_holds_it() -> None:
    port = free_port()
    assert host.port_is_free(ADDRESS, port)
    assert host.port_holder(port) == ""
    check_ports([(CHAT, PublishedPort(ADDRESS, port))], {})


def test_a_taken_port_names_who_holds_it(taken: int) -> None:
    assert not host.port_is_free(ADDRESS, taken)
    with pytest.raises(PortTaken) as caught:
        check_ports([(CHAT, PublishedPort(ADDRESS, taken))], {})
    assert f"port {taken} (chat-agent) is taken by " in caught.value.message
    assert f"(pid {os.getpid()})" in caught.value.message
    assert "AUTOBOT_PORT_OFFSET" in str(caught.value.hint)


def test_a_port_of_the_services_own_container_is_no_obstacle(taken: int) -> None:
    wanted = [(CHAT, PublishedPort(ADDRESS, taken))]
    check_ports(wanted, {taken: CHAT.container_name})
    with pytest.raises(PortTaken, match="container other-redis"):
        check_ports(wanted, {taken: "other-redis"})


def test_every_taken_port_is_named(taken: int) -> None:
    other = free_port()
    wanted = [(CHAT, PublishedPort(ADDRESS, port)) for port in (taken, other)]
    with pytest.raises(PortTaken) as caught:
        check_ports(wanted, {other: "other-redis"})
    assert str(taken) in caught.value.message
    assert str(other) in caught.value.message


def test_too_little_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_disk(tmp_path / "not" / "there" / "yet")
    monkeypatch.setattr(preflight, "DISK_NEEDED", 1 << 60)
    with pytest.raises(DiskFull, match="GiB are free in"):
        check_disk(tmp_path)


def test_memory_is_compared_where_the_engine_says_how_much_it_has() -> None:
    check_memory(2 * GIBIBYTE, 2 * GIBIBYTE)
    check_memory(2 * GIBIBYTE, 0)
    with pytest.raises(MemoryTooSmall, match=r"need about 2\.0 GiB of memory, Docker has 1\.0 GiB"):
        check_memory(2 * GIBIBYTE, GIBIBYTE)
