"""Compiles the requirements of every image and of the host's tools, all in one resolution.

Sources are `docker/base/requirements/*.in` and `pyproject.toml`. One resolution over all of them
gives every package one version everywhere; each layer's file then lists what its parents lack.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.adapters import process
from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.package_index import PackageIndex, render_uv_config

SOURCES = "docker/base/requirements"
STAMP_FILE = f"{SOURCES}/compiled-from"
"""Digest of the sources. In the requirements themselves it would rebuild images for a changed tool."""
TOOLS_FILE = "requirements.txt"
AUDIT_FILE = "requirements-audit.txt"
"""Of `nox -s audit`, which has an environment of its own."""
PYTHON_VERSION = "3.11"
PLATFORM = "x86_64-manylinux_2_36"
"""Debian bookworm's C library; the wheels of torch are pinned for this architecture."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)
HEADER = "# Compiled by `inv requirements.compile`; edit its sources instead.\n"


@dataclass(frozen=True)
class Layer:
    """One requirements file: which sources it serves, and on which layers it stands."""

    name: str
    file: str
    parents: tuple[str, ...] = ()


LAYERS = (
    Layer("uv", "docker/base/requirements-uv.txt"),
    Layer("base", "docker/base/requirements-base.txt"),
    Layer("ai", "docker/base/requirements-ai.txt", ("base",)),
    Layer("web", "docker/base/requirements-web.txt", ("base",)),
    Layer("chat", "docker/agents/requirements-chat.txt", ("base", "ai")),
    Layer("rag", "docker/agents/requirements-rag.txt", ("base", "ai")),
    Layer("npu", "docker/agents/requirements-npu.txt", ("base", "ai")),
    Layer("research", "docker/agents/requirements-research.txt", ("base", "web")),
    Layer("knowledge", "docker/agents/requirements-knowledge.txt", ("base",)),
)


def compile_requirements(
    root: Path, index: PackageIndex, *, torch_index: str, upgrade: bool = False
) -> dict[str, str]:
    """Resolve everything and return path → text of each requirements file; writes nothing in `root`.

    Versions that the present files pin are kept while they fit, unless `upgrade`. Raises
    ExternalCommandFailed with uv's own explanation where no resolution exists.
    """
    with tempfile.TemporaryDirectory(prefix="autobot-requirements-") as name:
        return _Compiler(root, Path(name), index, torch_index).run(upgrade=upgrade)


def requirements_are_stale(root: Path) -> bool:
    """Whether the files were compiled from other sources than the present ones. Reads files only."""
    stamp = root / STAMP_FILE
    return not stamp.is_file() or stamp.read_text().strip() != source_stamp(root)


def source_stamp(root: Path) -> str:
    """12 hex digits over everything that a resolution starts from."""
    digest = hashlib.sha256()
    for layer in LAYERS:
        digest.update((root / SOURCES / f"{layer.name}.in").read_bytes())
    digest.update((root / "pyproject.toml").read_bytes().split(b"[tool.", 1)[0])
    return digest.hexdigest()[:12]


def pinned_names(text: str) -> frozenset[str]:
    """Names of the packages that a requirements file pins."""
    return frozenset(_PIN.findall(text))


def without(text: str, names: frozenset[str]) -> str:
    """A requirements file without some packages: their line, hashes and origin comments go."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    return "".join(block for block in blocks if not names.intersection(_PIN.findall(block)))


class _Compiler:
    """One run of uv per layer, in a scratch folder."""

    def __init__(self, root: Path, scratch: Path, index: PackageIndex, torch_index: str) -> None:
        self.root = root
        self.scratch = scratch
        folders = [str(folder) for folder in index.wheel_folders]
        self.options = [option for folder in folders for option in ("--find-links", folder)]
        config = scratch / "uv.toml"
        config.write_text(render_uv_config(index, torch_index="" if has_torch(index) else torch_index))
        self.environment = {"UV_CONFIG_FILE": str(config)}
        if index.ca_bundle is not None:
            self.environment["SSL_CERT_FILE"] = str(index.ca_bundle)

    def run(self, *, upgrade: bool) -> dict[str, str]:
        sources = [f"{SOURCES}/{layer.name}.in" for layer in LAYERS]
        tools = ["pyproject.toml", "--extra", "dev"]
        audit = ["--group", "pyproject.toml:audit"]
        image_options = ["--python-platform", PLATFORM, "--only-binary", ":all:"]
        together = self._compile(
            [*sources, *tools, *audit, *image_options], prefer="" if upgrade else self._present_pins()
        )
        pins = _pin_lines(together)

        full: dict[str, str] = {}
        for layer in LAYERS:
            own = [f"{SOURCES}/{name}.in" for name in (*layer.parents, layer.name)]
            full[layer.name] = self._compile([*own, *image_options, "--generate-hashes"], prefer=pins)
        texts = {
            layer.file: HEADER + without(full[layer.name], _names_of(full, layer.parents)) for layer in LAYERS
        }
        for file, own in ((TOOLS_FILE, tools), (AUDIT_FILE, audit)):
            texts[file] = HEADER + self._compile([*own, "--universal", "--generate-hashes"], prefer=pins)
        _refuse_two_versions(texts)
        return {**texts, STAMP_FILE: f"{source_stamp(self.root)}\n"}

    def _compile(self, arguments: Sequence[str], *, prefer: str) -> str:
        """Run uv. It keeps what its output file pins already and fits: that hands versions on."""
        output = self.scratch / "output.txt"
        output.write_text(prefer)
        process.query(
            [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header",
             "--python-version", PYTHON_VERSION, "--output-file", str(output),
             *self.options, *arguments],
            env=self.environment,
            cwd=self.root,
        )  # fmt: skip
        return output.read_text()

    def _present_pins(self) -> str:
        files = [self.root / path for path in (*(layer.file for layer in LAYERS), TOOLS_FILE, AUDIT_FILE)]
        return _pin_lines("\n".join(file.read_text() for file in files if file.is_file()))


def has_torch(index: PackageIndex) -> bool:
    """Whether a wheel folder of this host has a CPU build of torch."""
    return any(any(folder.glob("torch-*+cpu-*.whl")) for folder in index.wheel_folders)


def check_requirements(root: Path, texts: Mapping[str, str]) -> None:
    """Raise ConfigurationError, naming the files that differ from what was compiled."""
    wrong = [path for path, text in texts.items() if not _has_text(root / path, text)]
    if wrong:
        raise ConfigurationError(
            f"not what their sources give: {', '.join(wrong)}", hint="Run inv requirements.compile."
        )


def write_requirements(root: Path, texts: Mapping[str, str]) -> list[str]:
    """Write what differs, each file by rename. Returns the paths that changed."""
    changed = []
    for path, text in texts.items():
        target = root / path
        if _has_text(target, text):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(target.name + ".new")
        scratch.write_text(text)
        scratch.replace(target)
        changed.append(path)
    return changed


def _has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _pin_lines(text: str) -> str:
    """Each `name==version` of requirements once, without hashes and conditions."""
    return "".join(
        f"{pin}\n" for pin in sorted(set(re.findall(r"(?m)^[A-Za-z0-9][^ ;\\#]*==[^ ;\\]+", text)))
    )


def _names_of(full: Mapping[str, str], layers: Sequence[str]) -> frozenset[str]:
    return frozenset().union(*(pinned_names(full[layer]) for layer in layers))


def _refuse_two_versions(texts: Mapping[str, str]) -> None:
    """One package, one version, in all files together."""
    seen: dict[str, tuple[str, str]] = {}
    for path, text in texts.items():
        for pin in _pin_lines(text).split():
            name, _, version = pin.partition("==")
            other_version, other_path = seen.setdefault(name, (version, path))
            if other_version != version:
                raise ConfigurationError(
                    f"{name} resolves to {other_version} in {other_path} and to {version} in {path}",
                    hint="Give it a bound in the source that needs one, and compile again.",
                )
