"""Compiled requirements: what is compared, what is written, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.package_index import PackageIndex
from autobot_ops.stack.requirements import (
    LAYERS,
    SOURCES,
    STAMP_FILE,
    check_requirements,
    has_torch,
    pinned_names,
    requirements_are_stale,
    source_stamp,
    without,
    write_requirements,
)

TEXT = "# head\na==1 \\\n    --hash=sha256:00\n    # via b\nb==2 \\\n    --hash=sha256:11\nc-d.e==3\n"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A project with a source for each layer."""
    folder = tmp_path / SOURCES
    folder.mkdir(parents=True)
    for layer in LAYERS:
        (folder / f"{layer.name}.in").write_text(f"{layer.name}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = []\n[tool.ruff]\nline-length = 1\n")
    return tmp_path


def test_a_package_goes_with_its_hashes_and_remarks() -> None:
    assert pinned_names(TEXT) == {"a", "b", "c-d.e"}
    assert without(TEXT, frozenset({"a"})) == "# head\nb==2 \\\n    --hash=sha256:11\nc-d.e==3\n"


def test_a_changed_source_makes_the_requirements_stale(sources: Path) -> None:
    assert requirements_are_stale(sources)
    (sources / STAMP_FILE).write_text(f"{source_stamp(sources)}\n")
    assert not requirements_are_stale(sources)
    (sources / SOURCES / "rag.in").write_text("rag\nmore\n")
    assert requirements_are_stale(sources)


def test_settings_of_tools_are_no_source(sources: Path) -> None:
    before = source_stamp(sources)
    project = sources / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 1", "line-length = 2"))
    assert source_stamp(sources) == before
    project.write_text(project.read_text().replace("[]", '["x"]'))
    assert source_stamp(sources) != before


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("a==1\n")
    before = (tmp_path / "same.txt").stat()
    texts = {"same.txt": "a==1\n", "below/new.txt": "b==2\n"}
    assert write_requirements(tmp_path, texts) == ["below/new.txt"]
    assert (tmp_path / "below/new.txt").read_text() == "b==2\n"
    assert (tmp_path / "same.txt").stat().st_ino == before.st_ino
    assert write_requirements(tmp_path, texts) == []


def test_a_check_names_every_file_that_differs(tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("a==1\n")
    (tmp_path / "other.txt").write_text("b==1\n")
    check_requirements(tmp_path, {"same.txt": "a==1\n"})
    with pytest.raises(ConfigurationError, match=r"other\.txt, gone\.txt") as caught:
        check_requirements(tmp_path, {"same.txt": "a==1\n", "other.txt": "b==2\n", "gone.txt": "c==1\n"})
    assert "inv requirements.compile" in str(caught.value.hint)


def test_a_cpu_build_of_torch_is_found_in_wheel_folders(tmp_path: Path) -> None:
    index = PackageIndex(wheel_folders=(tmp_path,))
    (tmp_path / "torch-2.13.0-cp311-cp311-linux_x86_64.whl").touch()
    assert not has_torch(index)
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    assert has_torch(index)
