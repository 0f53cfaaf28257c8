"""Recipes, the bake file, requirements and the table of images say the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autobot_ops.stack.image_graph import AGENTS, IMAGES, Image
from autobot_ops.stack.requirements import (
    AUDIT_FILE,
    LAYERS,
    TOOLS_FILE,
    pinned_names,
    requirements_are_stale,
)

BUILD_CONTEXTS = {"wheels"}
"""Contexts that are no images."""


@pytest.fixture(scope="module")
def bake(root: Path) -> dict[str, Any]:
    """docker-bake.hcl as buildx itself reads it."""
    command = ["docker", "buildx", "bake", "--print", *IMAGES]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    targets: dict[str, Any] = json.loads(printed.stdout)["target"]
    return targets


def recipe(root: Path, image: Image) -> str:
    """An image's own stages: the recipe without the stages of other images, continued lines joined."""
    text = (root / image.dockerfile).read_text().replace("\\\n", " ")
    stages = re.split(r"(?m)^(?=FROM )", text)[1:]
    own = [stage for stage in stages if re.match(rf"FROM \S+ AS {image.stage}(-\w+)?\n", stage)]
    assert own, f"{image.dockerfile} has no stage {image.stage}"
    return "".join(own)


@pytest.mark.parametrize("image", IMAGES.values(), ids=lambda image: image.target)
def test_the_bake_file_and_the_table_agree(bake: dict[str, Any], image: Image) -> None:
    target = bake[image.target]
    assert target["dockerfile"] == image.dockerfile
    contexts = target.get("contexts", {})
    assert set(contexts) - BUILD_CONTEXTS == set(image.needs)
    assert all(contexts[need] == f"target:{need}" for need in image.needs)
    if image.dockerfile.endswith("python-agent"):
        assert target["target"] == image.stage


def test_the_default_group_builds_what_runs(root: Path) -> None:
    printed = subprocess.run(
        ["docker", "buildx", "bake", "--print"], cwd=root, capture_output=True, text=True, check=True
    )
    groups = json.loads(printed.stdout)["group"]
    assert sorted(groups["agents"]["targets"]) == sorted(AGENTS)
    assert sorted(groups["data"]["targets"]) == ["postgres", "redis"]


@pytest.mark.parametrize("image", IMAGES.values(), ids=lambda image: image.target)
def test_the_inputs_are_what_the_recipe_mounts(root: Path, image: Image) -> None:
    text = recipe(root, image)
    mounted = {
        source
        for mount in re.findall(r"--mount=(\S+)", text)
        if "type=bind" in mount and "from=" not in mount
        for source in re.findall(r"source=([^,\s]+)", mount)
    }
    copied = {
        source
        for line in re.findall(r"(?m)^(?:COPY|ADD) (?!--from)(.*)$", text)
        for source in line.split()[:-1]
        if not source.startswith("--")
    }
    uncovered = {
        source
        for source in mounted | copied
        if not any(source == entry or source.startswith(f"{entry}/") for entry in image.inputs)
    }
    assert not uncovered
    unused = {
        entry
        for entry in image.inputs
        if not any(source == entry or source.startswith(f"{entry}/") for source in mounted | copied)
    }
    assert not unused


@pytest.mark.parametrize("image", IMAGES.values(), ids=lambda image: image.target)
def test_an_image_ends_with_a_numeric_user_above_10000_and_its_labels(root: Path, image: Image) -> None:
    instructions = [line for line in recipe(root, image).splitlines() if re.match(r"[A-Z]+ ", line)]
    users = [line.split()[1] for line in instructions if line.startswith("USER ")]
    uid, _, gid = users[-1].partition(":")
    assert int(uid) > 10000
    assert int(gid) > 10000
    assert instructions[-1].startswith("LABEL org.opencontainers.image.title=")


@pytest.mark.parametrize("agent", AGENTS)
def test_no_dependency_stands_above_an_agents_code(root: Path, agent: str) -> None:
    runs = re.findall(r"(?m)^RUN .*$", recipe(root, IMAGES[agent]))
    assert "add-code.sh" in runs[-1]
    assert all("source=src" not in run for run in runs[:-1])


def test_every_stage_has_a_name_of_its_own(root: Path) -> None:
    names = [
        name
        for dockerfile in sorted({image.dockerfile for image in IMAGES.values()})
        for name in re.findall(r"(?m)^FROM \S+(?: AS (\S+))?$", (root / dockerfile).read_text())
    ]
    assert "" not in names
    assert len(names) == len(set(names))


def test_the_requirements_were_compiled_from_their_present_sources(root: Path) -> None:
    assert not requirements_are_stale(root), "run inv requirements.compile"


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_repeats_nothing_of_its_parents(root: Path, layer: Any) -> None:
    files = {other.name: root / other.file for other in LAYERS}
    own = pinned_names(files[layer.name].read_text())
    assert own
    for parent in layer.parents:
        assert not own & pinned_names(files[parent].read_text())


def test_the_parents_of_layers_and_images_agree() -> None:
    target_of = {image.stage: image for image in IMAGES.values()}
    for layer in LAYERS:
        if layer.name == "uv":
            continue
        chain: list[str] = []
        image = target_of[layer.name]
        while image.parent != "root":
            image = IMAGES[image.parent]
            chain.insert(0, image.stage)
        assert layer.parents == tuple(chain)


def test_requirements_name_no_index_and_no_gpu_package(root: Path) -> None:
    for file in [*(root / layer.file for layer in LAYERS), root / TOOLS_FILE, root / AUDIT_FILE]:
        text = file.read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text), file.name
        assert not {name for name in pinned_names(text) if re.match(r"nvidia|triton|cuda", name)}, file.name


def test_torch_is_pinned_to_a_cpu_build(root: Path) -> None:
    pins = re.findall(r"(?m)^torch==(\S+)", (root / "docker/base/requirements-ai.txt").read_text())
    assert len(pins) == 1
    assert pins[0].endswith("+cpu")


def test_the_context_holds_nothing_but_inputs(root: Path, tmp_path: Path) -> None:
    """Docker's own reading of .dockerignore: everything that would be sent belongs to some image."""
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    output = tmp_path / "context"
    subprocess.run(
        ["docker", "buildx", "build", "--quiet", "--file", dockerfile, "--output", output, "."],
        cwd=root, check=True, capture_output=True, env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    )  # fmt: skip
    inputs = {entry for image in IMAGES.values() for entry in image.inputs}
    sent = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert sent
    surplus = {name for name in sent if not any(name == e or name.startswith(f"{e}/") for e in inputs)}
    assert not surplus
