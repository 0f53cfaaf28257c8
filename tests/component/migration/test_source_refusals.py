"""What `inv migrate --source` refuses before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.rdb.errors import StreamRefused
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.errors import (
    NowhereToStage,
    SameServer,
    SourceLost,
    UnknownSource,
)
from tests.component.migration.conftest import StartServer
from tests.component.migration.transferring import (
    DELETING,
    bring,
    writes,
)
from tests.component.rdb.data_server import DataServer
from tests.free_ports import free_port


def test_refuses_its_own_server(target: DataServer, state_dir: Path) -> None:
    target.client().set("fact:1", "1")
    with pytest.raises(SameServer):
        bring(target, target, state_dir, DELETING)
    assert target.client().get("fact:1") == b"1"


def test_refuses_to_delete_where_the_source_does_not_say_who_it_is(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    source.command("ACL", "SETUSER", "guest", "on", ">secret", "~*", "+@all", "-info")
    with pytest.raises(UnknownSource):
        bring(Endpoint("127.0.0.1", source.port, "guest", "secret"), target, state_dir, DELETING)


def test_refuses_an_unreachable_source(target: DataServer, state_dir: Path) -> None:
    with pytest.raises(SourceLost):
        bring(Endpoint("127.0.0.1", free_port()), target, state_dir)
    assert writes(target) == 0


def test_refuses_a_wrong_password(start_server: StartServer, target: DataServer, state_dir: Path) -> None:
    source = start_server("--requirepass", "right")
    with pytest.raises(StreamRefused):
        bring(Endpoint("127.0.0.1", source.port, None, "wrong"), target, state_dir)
    assert writes(target) == 0


def test_refuses_a_target_without_staging_databases(
    source: DataServer, start_server: StartServer, state_dir: Path
) -> None:
    target = start_server()
    with pytest.raises(NowhereToStage):
        bring(source, target, state_dir)
    assert writes(target) == 0
