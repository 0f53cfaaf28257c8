"""Requirements resolved by the real uv from wheels in a folder: no index is asked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from autobot_ops.adapters.process import CommandFailed
from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.package_index import PackageIndex
from autobot_ops.stack.requirements import (
    AUDIT_FILE,
    HEADER,
    LAYERS,
    SOURCES,
    STAMP_FILE,
    TOOLS_FILE,
    compile_requirements,
    pinned_names,
    source_stamp,
    write_requirements,
)

FILES = {layer.name: layer.file for layer in LAYERS}
PROJECT = """[project]
name = "tried"
version = "1"
requires-python = ">=3.11"
dependencies = ["shared"]
[project.optional-dependencies]
dev = ["tool"]
[dependency-groups]
audit = ["auditor"]
"""


class Project:
    """A project with a source for each layer, and the folder of wheels that there are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wheels = folder / "project", folder / "wheels"
        (self.folder / SOURCES).mkdir(parents=True)
        self.wheels.mkdir()
        for layer in LAYERS:
            self.write(layer.name, "")
        (self.folder / "pyproject.toml").write_text(PROJECT)
        for name in ("shared", "tool", "auditor", "model"):
            self.add_wheel(name, "1.0")

    def write(self, layer: str, text: str) -> None:
        """Set what a layer asks for."""
        (self.folder / SOURCES / f"{layer}.in").write_text(text)

    def add_wheel(self, name: str, version: str, *needs: str) -> None:
        """A package of nothing but its description."""
        about = f"{name}-{version}.dist-info"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Requires-Dist: {need}" for need in needs]
        with zipfile.ZipFile(self.wheels / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{about}/METADATA", "\n".join(metadata) + "\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")

    def compile(self, *, upgrade: bool = False) -> dict[str, str]:
        """What `inv requirements.compile` would write."""
        index = PackageIndex(wheel_folders=(self.wheels,))
        return compile_requirements(self.folder, index, torch_index="", upgrade=upgrade)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("UV_OFFLINE", "1")
    return Project(tmp_path)


def test_a_layer_has_what_its_parents_lack_with_hashes(project: Project) -> None:
    project.write("base", "shared\n")
    project.write("ai", "model\n")
    project.add_wheel("model", "2.0", "shared")
    texts = project.compile()
    assert texts.keys() == {*FILES.values(), TOOLS_FILE, AUDIT_FILE, STAMP_FILE}
    assert pinned_names(texts[FILES["base"]]) == {"shared"}
    assert pinned_names(texts[FILES["ai"]]) == {"model"}
    assert pinned_names(texts[FILES["chat"]]) == frozenset()
    assert pinned_names(texts[TOOLS_FILE]) == {"shared", "tool"}
    assert pinned_names(texts[AUDIT_FILE]) >= {"auditor"}
    assert "--hash=sha256:" in texts[FILES["ai"]]
    assert texts[FILES["ai"]].startswith(HEADER)
    assert texts[STAMP_FILE] == f"{source_stamp(project.folder)}\n"
    assert str(project.wheels) not in "".join(texts.values())


def test_present_versions_stay_until_an_upgrade_is_wanted(project: Project) -> None:
    project.write("base", "shared\n")
    write_requirements(project.folder, project.compile())
    project.add_wheel("shared", "1.1")
    assert "shared==1.0" in project.compile()[FILES["base"]]
    upgraded = project.compile(upgrade=True)
    assert {text.count("shared==1.1") for text in (upgraded[FILES["base"]], upgraded[TOOLS_FILE])} == {1}


def test_what_has_no_resolution_ends_in_uvs_own_words(project: Project) -> None:
    project.write("base", "shared>=9\n")
    with pytest.raises(CommandFailed) as caught:
        project.compile()
    assert "shared" in caught.value.output
    assert not (project.folder / STAMP_FILE).exists()


def test_one_package_has_one_version_in_all_files(project: Project) -> None:
    """Some needs give one version to newer Pythons and another to older ones."""
    project.write("base", "shared\n")
    project.add_wheel("shared", "2.0")
    project.add_wheel(
        "auditor", "2.0", "shared<2; python_version >= '3.14'", "shared; python_version < '3.14'"
    )
    with pytest.raises(ConfigurationError, match="shared resolves to") as caught:
        project.compile()
    assert "Give it a bound" in caught.value.hint
