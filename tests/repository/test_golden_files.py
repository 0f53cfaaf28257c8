"""The stack as Compose reads it, the images as Buildx reads them, what a change rebuilds: golden files.

A change of a compose file, a catalog, the bake file or the table of images shows as a readable diff.
Needs the docker client's plugins, and no daemon. Compose and Buildx may say the same in other words in
other versions; what is known of that is taken out. The files were written with Compose 2.26, Buildx 0.13.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autobot_ops.catalog import load_catalogs
from autobot_ops.settings import load_settings
from autobot_ops.stack.build_plan import ExistingImage, plan_build, render_plan
from autobot_ops.stack.compose import Compose
from autobot_ops.stack.environment import EXAMPLE_SUFFIX, compose_environment
from autobot_ops.stack.image_graph import IMAGES, SERVICE_TARGETS, Image
from autobot_ops.stack.image_inputs import ImageInputs, read_inputs
from tests.repository.conftest import CompareWithGolden

SECRETS_GROUP = 10999
EMPTY: tuple[object, ...] = (None, {}, [])


def without_empty(value: Any) -> Any:
    """A document without keys that say nothing, which some versions print and others don't."""
    if isinstance(value, dict):
        return {name: without_empty(each) for name, each in value.items() if each not in EMPTY}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


def render_document(text: str, root: Path) -> str:
    """A JSON document with sorted keys and without the checkout's path."""
    document = without_empty(json.loads(text.replace(str(root), "ROOT")))
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_compose_reads_the_stack_as_agreed(root: Path, compare_with_golden: CompareWithGolden) -> None:
    settings = load_settings(root, {})
    images = {target: f"{image.repository}:TAG" for target, image in read_inputs(settings, root).items()}
    environment = compose_environment(
        settings, load_catalogs(root), images, version="VERSION", secrets_group=SECRETS_GROUP
    )
    compose = Compose(root, settings.project, environment | {"AUTOBOT_ENV_SUFFIX": EXAMPLE_SUFFIX})
    compare_with_golden("compose.json", render_document(compose.query("config", "--format", "json"), root))


def test_buildx_reads_the_images_as_agreed(root: Path, compare_with_golden: CompareWithGolden) -> None:
    command = ["docker", "buildx", "bake", "--print", "default", *IMAGES]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    compare_with_golden("bake.json", render_document(printed.stdout, root))


def test_the_image_graph_is_as_agreed(root: Path, compare_with_golden: CompareWithGolden) -> None:
    inputs = read_inputs(load_settings(root, {}), root)
    sections = {
        "What stands on what: recipe, stage": render_tree(),
        "What a change of a file or folder builds, on an engine that has everything": render_rebuilds(inputs),
        "The plan of a first build": render_plan(plan_build(inputs, [], targets=SERVICE_TARGETS)),
    }
    text = "\n".join(f"{title}\n\n{body}\n" for title, body in sections.items())
    compare_with_golden("image-graph.txt", text)


def render_tree() -> str:
    """Every image below its parent, deeper ones further to the right."""
    lines = []
    for depth, image in descend("", 0):
        tool = f", by {image.tool}" if image.tool else ""
        lines.append(f"{'  ' * depth + image.target:<24}{image.dockerfile}, {image.stage}{tool}")
    return "\n".join(lines)


def descend(parent: str, depth: int) -> Iterator[tuple[int, Image]]:
    """The images on a parent with their depth, each followed by those on it."""
    for image in IMAGES.values():
        if image.parent == parent:
            yield depth, image
            yield from descend(image.target, depth + 1)


def render_rebuilds(inputs: dict[str, ImageInputs]) -> str:
    """A line for each file or folder that an image is made from: the images that a change in it builds."""
    entries = sorted({entry for image in IMAGES.values() for entry in (image.dockerfile, *image.inputs)})
    width = max(map(len, entries)) + 2
    existing = [ExistingImage(image.reference, 1.0, 1, image.inputs) for image in inputs.values()]
    lines = []
    for entry in entries:
        plan = plan_build(after_a_change(inputs, entry), existing, targets=SERVICE_TARGETS)
        built = ", ".join(step.target for step in plan.to_build)
        lines.append(f"{entry:<{width}}{built or 'nothing'}")
    return "\n".join(lines)


def after_a_change(inputs: dict[str, ImageInputs], entry: str) -> dict[str, ImageInputs]:
    """The inputs as they would be read after every file of an entry changed: new tags, down to the leaves."""
    changed: dict[str, ImageInputs] = {}
    for image in IMAGES.values():
        before = inputs[image.target]
        touched = any(name == entry or name.startswith(f"{entry}/") for name in before.inputs)
        tag = f"{before.tag}-changed" if touched or _is_changed(changed, image.parent) else before.tag
        digests = dict(before.inputs) | ({entry: "changed"} if touched else {})
        changed[image.target] = ImageInputs(image.target, f"{before.repository}:{tag}", digests)
    return changed


def _is_changed(changed: dict[str, ImageInputs], target: str) -> bool:
    return bool(target) and changed[target].tag.endswith("-changed")
