"""What a build gets from this host: secrets, wheels, and the override for docker-bake.hcl.

Secret files live in a folder of mode 0700 for as long as one build takes; the staged wheels stay, so
that BuildKit needs to see only what has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobot_ops.adapters import process
from autobot_ops.settings import Settings
from autobot_ops.stack.build_plan import BuildPlan
from autobot_ops.stack.host_apt import load_host_apt
from autobot_ops.stack.image_graph import IMAGES
from autobot_ops.stack.image_inputs import VERSION, ImageInputs
from autobot_ops.stack.package_index import (
    PackageIndex,
    load_package_index,
    read_ca_bundle,
    render_pip_conf,
    render_uv_config,
)
from autobot_ops.stack.requirements import LAYERS

BAKE_FILE = "docker-bake.hcl"
WHEELS_FOLDER = "docker/base/wheels"
INPUTS_LABEL = "io.autobot.inputs"
VERSION_LABEL = "org.opencontainers.image.version"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")
"""BuildKit hands these to build steps and keeps them out of images and cache keys."""

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class BuildContext:
    """How to call `docker buildx bake`: its files, and the environment that names secrets and wheels."""

    files: tuple[Path, ...]
    environment: Mapping[str, str]


@contextmanager
def build_context(
    settings: Settings,
    root: Path,
    plan: BuildPlan,
    inputs: Mapping[str, ImageInputs],
    *,
    root_image: str,
    environ: Mapping[str, str],
) -> Iterator[BuildContext]:
    """Write the files of one build and remove them afterwards, also after an error or Ctrl-C."""
    index = load_package_index(environ)
    wheels = stage_wheels(
        pinned_hashes(root),
        [*index.wheel_folders, root / WHEELS_FOLDER],
        settings.project_state_dir / "build" / "wheels",
    )
    torch_index = "" if any(wheel.name.startswith("torch-") for wheel in wheels) else settings.torch_index
    override = bake_override(plan, inputs, root_image=root_image, proxies=_proxies(index, environ))
    with tempfile.TemporaryDirectory(prefix="autobot-build-") as name:
        folder = Path(name)
        variables = _write_secrets(folder, index, torch_index)
        # The builder inside the engine, whatever builder the person has chosen: others keep their
        # images to themselves and don't see the engine's.
        variables["BUILDX_BUILDER"] = process.query(["docker", "context", "show"]).strip()
        if wheels:
            variables["WHEELS"] = str(wheels[0].parent)
        file = folder / "override.json"
        file.write_text(json.dumps(override))
        yield BuildContext((root / BAKE_FILE, file), variables)


def bake_override(
    plan: BuildPlan,
    inputs: Mapping[str, ImageInputs],
    *,
    root_image: str,
    proxies: Mapping[str, str],
) -> dict[str, Any]:
    """The override for docker-bake.hcl: tags and labels of what is built, references to what is not. Pure."""
    building = {step.target for step in plan.to_build}
    targets: dict[str, Any] = {}
    for step in plan.to_build:
        image = IMAGES[step.target]
        labels = {INPUTS_LABEL: json.dumps(inputs[step.target].inputs, sort_keys=True, separators=(",", ":"))}
        if VERSION in inputs[step.target].inputs:
            labels[VERSION_LABEL] = inputs[step.target].inputs[VERSION]
        target: dict[str, Any] = {"tags": [step.reference], "labels": labels}
        arguments = dict(proxies)
        if not image.parent:
            arguments["ROOT_IMAGE"] = root_image
        if arguments:
            target["args"] = arguments
        contexts = {
            need: f"docker-image://{inputs[need].reference}" for need in image.needs if need not in building
        }
        if contexts:
            target["contexts"] = contexts
        if plan.no_cache:
            target["no-cache"] = True
        targets[step.target] = target
    return {"target": targets}


def pinned_hashes(root: Path) -> frozenset[str]:
    """SHA-256 digests that some image's requirements accept."""
    return frozenset().union(
        *(_HASH.findall((root / layer.file).read_text()) for layer in LAYERS if (root / layer.file).is_file())
    )


def stage_wheels(accepted: frozenset[str], folders: Iterable[Path], destination: Path) -> list[Path]:
    """Link (or copy) the wheels with an accepted digest into one folder, and drop others from it.

    A folder that pip is configured with may hold thousands of wheels that no image wants; none of
    them shall travel to the engine.
    """
    staged: dict[str, Path] = {}
    for folder in folders:
        for wheel in sorted(folder.glob("*.whl")):
            if wheel.name not in staged and _digest(wheel) in accepted:
                staged[wheel.name] = wheel
    if destination.is_dir():
        for old in destination.iterdir():
            if old.name not in staged or not old.samefile(staged[old.name]):
                old.unlink()
    for name, wheel in staged.items():
        target = destination / name
        if target.exists():
            continue
        destination.mkdir(parents=True, exist_ok=True)
        try:
            os.link(wheel, target)
        except OSError:
            shutil.copy2(wheel, target)
    return [destination / name for name in staged]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_secrets(folder: Path, index: PackageIndex, torch_index: str) -> dict[str, str]:
    apt = load_host_apt()
    contents: dict[str, bytes] = {
        "APT_SOURCES": apt.sources.encode(),
        "APT_CONF": apt.options.encode(),
        "CA_BUNDLE": read_ca_bundle(index),
        "PIP_CONF": render_pip_conf(index).encode(),
        "UV_CONFIG": render_uv_config(index, torch_index=torch_index).encode(),
    }
    variables: dict[str, str] = {}
    for name, content in contents.items():
        file = folder / name.lower()
        file.touch(mode=0o600)
        file.write_bytes(content)
        variables[name] = str(file)
    return variables


def _proxies(index: PackageIndex, environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: environ.get(name) or environ.get(name.lower(), "") for name in PROXY_VARIABLES}
    if index.proxy:
        found["HTTPS_PROXY"] = found["HTTPS_PROXY"] or index.proxy
        found["HTTP_PROXY"] = found["HTTP_PROXY"] or index.proxy
    return {name: value for name, value in found.items() if value}
