"""Content tags follow from files, and from nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autobot_ops.errors import ConfigurationError
from autobot_ops.settings import Settings
from autobot_ops.stack.image_graph import IMAGES
from autobot_ops.stack.image_inputs import image_references, read_inputs
from tests.conftest import ROOT


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of everything that images are made from, to be edited."""
    ignore = shutil.ignore_patterns("__pycache__", "*.whl")
    for folder in ("docker", "src"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def changed(sources: Path, before: dict[str, str], **settings: str) -> set[str]:
    after = image_references(Settings(root=sources, **settings), sources)
    return {target for target in IMAGES if before[target] != after[target]}


@pytest.fixture
def before(sources: Path) -> dict[str, str]:
    return image_references(Settings(root=sources), sources)


def append(path: Path) -> None:
    path.write_text(path.read_text() + "# edited\n")


def test_the_same_files_elsewhere_give_the_same_references(sources: Path, before: dict[str, str]) -> None:
    assert before == image_references(Settings(root=ROOT), ROOT)
    assert before["chat"].startswith("autobot/chat-agent:")
    assert len(before["chat"].partition(":")[2]) == 12


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/agents/chat.py", {"chat"}),
        ("src/agents/server.py", {"chat", "rag", "npu", "research", "knowledge"}),
        ("docker/base/scripts/agent-entrypoint.sh", {"chat", "rag", "npu", "research", "knowledge"}),
        ("docker/agents/requirements-rag.txt", {"rag"}),
        ("docker/base/requirements-ai.txt", {"ai", "chat", "rag", "npu"}),
        ("docker/base/requirements-web.txt", {"web", "research"}),
        ("docker/base/requirements-uv.txt", {"uv"}),
        ("docker/base/requirements/chat.in", set()),
        ("docker/redis/redis.conf", {"redis"}),
        ("docker/postgres/pg_hba.conf", {"postgres"}),
        ("docker/base/Dockerfile.root", set(IMAGES)),
    ],
)
def test_a_file_renames_exactly_the_images_that_contain_it(
    sources: Path, before: dict[str, str], path: str, expected: set[str]
) -> None:
    append(sources / path)
    assert changed(sources, before) == expected


def test_a_file_that_becomes_executable_counts(sources: Path, before: dict[str, str]) -> None:
    (sources / "docker/redis/redis.conf").chmod(0o755)
    assert changed(sources, before) == {"redis"}


def test_times_and_bytecode_do_not_count(sources: Path, before: dict[str, str]) -> None:
    (sources / "src/agents/server.py").touch()
    (sources / "src/agents/__pycache__").mkdir()
    (sources / "src/agents/__pycache__/server.cpython-311.pyc").write_bytes(b"bytecode")
    assert changed(sources, before) == set()


def test_the_root_image_and_the_version_count(sources: Path, before: dict[str, str]) -> None:
    assert changed(sources, before, root_image="registry.example/debian:12") == set(IMAGES)
    project = sources / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "', 'version = "9', 1))
    assert changed(sources, before) == {"chat", "rag", "npu", "research", "knowledge"}


def test_inputs_name_files_settings_and_the_parent(sources: Path) -> None:
    inputs = read_inputs(Settings(root=sources), sources)
    assert inputs["root"].inputs["setting root_image"] == "debian:bookworm-slim"
    assert inputs["ai"].inputs["parent python-agent-base"] == inputs["python-agent-base"].tag
    assert "src/agents/rag.py" not in inputs["chat"].inputs
    assert inputs["chat"].repository == "autobot/chat-agent"


def test_a_missing_input_is_an_error_that_names_it(sources: Path) -> None:
    (sources / "docker/agents/requirements-npu.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"requirements-npu\.txt is missing"):
        image_references(Settings(root=sources), sources)
