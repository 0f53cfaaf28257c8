"""What decides an image's content, and the tag that follows from it.

Reads files of the project and nothing else: no Docker, so that `inv up` knows every image's name
before it asks the engine anything.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.errors import ConfigurationError
from autobot_ops.settings import Settings
from autobot_ops.stack.image_graph import IMAGES, Image, belongs_to_another_agent

DIGEST_LENGTH = 12
IGNORED_FOLDERS = frozenset({"__pycache__"})
PARENT = "parent "
SETTING = "setting "
VERSION = "version"


@dataclass(frozen=True)
class ImageInputs:
    """One image's inputs by name: paths with 12 hex digits of their content, `parent X`, `setting X`."""

    target: str
    reference: str
    inputs: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The content digest, 12 hex digits."""
        return self.reference.rpartition(":")[2]

    @property
    def repository(self) -> str:
        """The reference without its tag."""
        return self.reference.rpartition(":")[0]


def read_inputs(settings: Settings, root: Path) -> dict[str, ImageInputs]:
    """The inputs and the reference of every image, parents first.

    A tag is the digest of the image's inputs, its parent's tag among them, so one changed byte
    renames an image and all that stand on it. Raises ConfigurationError where an input is missing.
    """
    contents: dict[str, str] = {}
    version = project_version(root)
    found: dict[str, ImageInputs] = {}
    for image in IMAGES.values():
        inputs = {path: contents.setdefault(path, _digest_file(root / path)) for path in _paths(image, root)}
        if image.parent:
            inputs[PARENT + image.parent] = found[image.parent].tag
        else:
            inputs[SETTING + "root_image"] = settings.root_image
        if image.agent:
            inputs[VERSION] = version
        tag = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]
        reference = f"{settings.image_namespace}/{image.name}:{tag}"
        found[image.target] = ImageInputs(image.target, reference, inputs)
    return found


def image_references(settings: Settings, root: Path) -> dict[str, str]:
    """References, `namespace/name:tag`, by target, of the images that the present files describe."""
    return {target: inputs.reference for target, inputs in read_inputs(settings, root).items()}


def project_version(root: Path) -> str:
    """The version in pyproject.toml; agents' images carry it as a label."""
    with (root / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _paths(image: Image, root: Path) -> Iterator[str]:
    for entry in (image.dockerfile, *image.inputs):
        path = root / entry
        if path.is_file():
            yield entry
            continue
        if not path.is_dir():
            raise ConfigurationError(
                f"{entry} is missing, which the image {image.target} is made from",
                hint=f"Restore it: git checkout -- {entry}",
            )
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(root)
            if not file.is_file() or IGNORED_FOLDERS.intersection(relative.parts):
                continue
            name = relative.as_posix()
            if not (image.agent and belongs_to_another_agent(name, image.agent)):
                yield name


def _digest_file(path: Path) -> str:
    """Content and the bit that makes a file executable; owner, time and other bits don't count."""
    executable = b"x" if path.stat().st_mode & 0o100 else b"-"
    return hashlib.sha256(executable + path.read_bytes()).hexdigest()[:DIGEST_LENGTH]
