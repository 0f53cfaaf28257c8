"""Splitting real streams: every file passes its engine's check and loads to exactly the same keys."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from autobot_ops.rdb.splitter import Splitter
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import contents, fingerprints, fingerprints_of
from tests.component.rdb.data_server import DataServer, Engine
from tests.component.rdb.keys import DATABASES, fill


class Folder:
    """A file per database and one for the instance."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.files: list[BinaryIO] = []

    def database(self, number: int) -> BinaryIO:
        return self._open(f"{number}.rdb")

    def instance(self) -> BinaryIO:
        return self._open("instance.rdb")

    def _open(self, name: str) -> BinaryIO:
        self.files.append((self.path / name).open("wb"))
        return self.files[-1]

    def close(self) -> None:
        for each in self.files:
            each.close()


def split(server: DataServer, folder: Path) -> Splitter:
    outputs = Folder(folder)
    with server.stream() as stream:
        splitter = Splitter(stream, outputs.database, outputs.instance)
        splitter.run()
    outputs.close()
    return splitter


def test_each_file_loads_to_the_same_keys(engine: Engine, start_server: StartServer, tmp_path: Path) -> None:
    source = start_server(engine=engine)
    fill(source)
    splitter = split(source, tmp_path)
    assert set(splitter.summaries) == set(DATABASES)
    expected_prints = fingerprints_of(source)
    for number in DATABASES:
        file = tmp_path / f"{number}.rdb"
        engine.check(file)
        loaded = start_server(engine=engine, rdb=file)
        expected = contents(source, number)
        assert contents(loaded, number) == expected
        with loaded.client() as client:
            assert set(client.info("keyspace")) == {f"db{number}"}
        summary = splitter.summaries[number]
        assert summary.keys == len(expected)
        assert fingerprints_of(loaded) == {number: expected_prints[number]}
        with file.open("rb") as stored:
            assert fingerprints(stored) == {number: expected_prints[number]}
        loaded.stop()


def test_the_function_libraries_load_from_the_instance_file(
    start_server: StartServer, tmp_path: Path
) -> None:
    source = start_server()
    fill(source, keys=5)
    split(source, tmp_path)
    loaded = start_server(rdb=tmp_path / "instance.rdb")
    assert loaded.command("FCALL", "one", 0) == 1
    assert loaded.command("DBSIZE") == 0
    for number in DATABASES:
        alone = start_server(rdb=tmp_path / f"{number}.rdb")
        assert alone.command("FUNCTION", "LIST") == []
        alone.stop()


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_both_forms_of_the_stream_give_the_same(start_server: StartServer, diskless: str) -> None:
    source = start_server("--repl-diskless-sync", diskless)
    fill(source, keys=50)
    with source.stream() as stream:
        assert stream.diskless is (diskless == "yes")
        found = fingerprints(stream)
    with source.save().open("rb") as saved:
        assert fingerprints(saved) == found


def test_the_server_notices_nothing_but_a_fork(start_server: StartServer, tmp_path: Path) -> None:
    source = start_server()
    fill(source, keys=50)
    source.command("CONFIG", "RESETSTAT")
    split(source, tmp_path)
    with source.client() as client:
        ran = set(client.info("commandstats"))
    ours, the_tests = (
        {"cmdstat_replconf", "cmdstat_sync"},
        {"hello", "info", "config|resetstat", "client|setinfo"},
    )
    assert ours <= ran <= ours | {f"cmdstat_{name}" for name in the_tests}
