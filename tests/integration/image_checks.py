"""What an image must be. Each check stands at one image and holds for everything that stands on it.

The hierarchy is image_graph's: root → python-agent-base → ai | web → agents; root → redis, postgres.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.stack.build_context import INPUTS_LABEL
from autobot_ops.stack.image_graph import AGENTS, IMAGES
from autobot_ops.stack.requirements import SOURCES
from tests.integration.image_facts import Facts

MEGABYTE = 10**6
FIRST_USER = 10001
"""Below are users of hosts and distributions."""

BUDGETS = {
    "root": 140, "redis": 155, "postgres": 240,
    "python-agent-base": 240, "ai": 1600, "web": 245,
    "chat": 1700, "rag": 1950, "npu": 1800, "research": 850, "knowledge": 300,
}  # fmt: skip
"""Megabytes that an image may have, with the layers it shares: a tenth above what it had in November 2026."""

USERS = {"redis": "10002:10002", "postgres": "10003:10003", "python-agent-base": "10001:10001"}
"""Who an image and what stands on it run as."""

TOOLS = frozenset(image.tool for image in IMAGES.values() if image.tool)
FAMILY = tuple(target for target in IMAGES if target not in TOOLS)
"""Every image that containers or images stand on; a tool is one program, without a shell to look around."""

VENV = "/opt/venv/"
TOLERATED_BYTES = 64_000
"""Files of the system that an installation writes again, with other content of the same size and time."""

COMPILERS = re.compile(
    r"(?:.+-)?(?:gcc|g\+\+|cc|c\+\+|cc1|cc1plus|collect2|clang|clang\+\+|tcc|as|ld|make|rustc|cargo|go|nvcc)(?:-[\d.]+)?"
)
FETCHERS = re.compile(r"curl|wget|git|pip[\d.]*|uv|npm|conda")
PACKAGE_CACHES = re.compile(r"/var/lib/apt/lists/|/var/cache/apt/|.*/\.cache/|.*\.(?:whl|deb)$")
GPU_LIBRARIES = re.compile(r"lib(?:cuda|cudart|cublas|cudnn|nccl|nvrtc)\b")
GPU_PACKAGES = re.compile(r"nvidia|triton|cuda|cupy|pycuda")


@dataclass(frozen=True)
class Expected:
    """What the checks compare an image with: what it must have been made from, and its parent, if any."""

    target: str
    inputs: Mapping[str, str]
    parent: Facts | None


Look = Callable[[Facts, Expected], Iterable[str]]
"""Everything that is wrong, in words."""


def lineage(target: str) -> tuple[str, ...]:
    """The image and those it stands on, the root first."""
    parent = IMAGES[target].parent
    return (*(lineage(parent) if parent else ()), target)


def named_packages(root: Path, target: str) -> list[str]:
    """Packages that the sources of the image's layers name, its parents' first."""
    names: dict[str, None] = {}
    for each in lineage(target):
        source = root / SOURCES / f"{IMAGES[each].stage}.in"
        if source.is_file():
            names |= dict.fromkeys(re.findall(r"(?m)^[A-Za-z0-9][\w.-]*", source.read_text()))
    return list(names)


def checks_of(target: str) -> Iterator[tuple[str, str, Look]]:
    """Every check of an image: where it stands, its name, how to look."""
    for owner in lineage(target):
        for name, look in CHECKS.get(owner, {}).items():
            yield owner, name, look


def _programs(facts: Facts, pattern: re.Pattern[str]) -> list[str]:
    """Paths of executable files, and of links among programs, whose name matches."""
    return sorted(
        path
        for path, file in facts.files.items()
        if (file.mode & 0o111 if file.kind == "f" else "bin/" in path)
        and pattern.fullmatch(path.rpartition("/")[2])
    )


def _setuid(facts: Facts, _: Expected) -> Iterable[str]:
    return sorted(path for path, file in facts.files.items() if file.kind == "f" and file.mode & 0o6000)


def _compilers(facts: Facts, _: Expected) -> Iterable[str]:
    return _programs(facts, COMPILERS)


def _fetchers(facts: Facts, _: Expected) -> Iterable[str]:
    return _programs(facts, FETCHERS)


def _caches(facts: Facts, _: Expected) -> Iterable[str]:
    return sorted(path for path in facts.files if PACKAGE_CACHES.match(path))


def _gpu(facts: Facts, _: Expected) -> Iterable[str]:
    yield from sorted(path for path in facts.files if GPU_LIBRARIES.match(path.rpartition("/")[2]))
    yield from (name for name in facts.python.get("packages", ()) if GPU_PACKAGES.match(name))


def _user(facts: Facts, expected: Expected) -> Iterable[str]:
    wanted = [USERS[each] for each in lineage(expected.target) if each in USERS]
    if wanted and facts.user != wanted[-1]:
        yield f"{facts.user!r} instead of {wanted[-1]}"
    elif not re.fullmatch(r"\d+:\d+", facts.user) or min(map(int, facts.user.split(":"))) < FIRST_USER:
        yield f"{facts.user!r} is no pair of numbers above 10000"


def _init(facts: Facts, _: Expected) -> Iterable[str]:
    if facts.entrypoint[:2] != ("/usr/bin/tini", "--"):
        yield f"PID 1 would be {facts.entrypoint}"


def _labels(facts: Facts, expected: Expected) -> Iterable[str]:
    for name in ("title", "description"):
        if not facts.labels.get(f"org.opencontainers.image.{name}", "").strip():
            yield f"no {name}"
    if json.loads(facts.labels.get(INPUTS_LABEL, "{}")) != dict(expected.inputs):
        yield f"{INPUTS_LABEL} isn't what this image is made from"


def _size(facts: Facts, expected: Expected) -> Iterable[str]:
    if facts.size_bytes > BUDGETS[expected.target] * MEGABYTE:
        yield f"{facts.size_bytes / MEGABYTE:.0f} MB, budget {BUDGETS[expected.target]} MB"


def _imports(facts: Facts, expected: Expected) -> Iterable[str]:
    yield from facts.python["failed_imports"]
    wanted = USERS["python-agent-base"].partition(":")[0]
    if str(facts.python["user"]) != wanted:
        yield f"imported by user {facts.python['user']} instead of {wanted}"


def _adds_only(facts: Facts, expected: Expected) -> Iterable[str]:
    """A child that resolves another version of something, or touches it, would ship it twice."""
    parent = expected.parent
    if parent is None or not parent.python:
        return
    new = {path for path, file in facts.files.items() if parent.files.get(path) != file}
    yield from sorted(
        f"{path} is its parent's"
        for path in parent.files
        if path.startswith(VENV) and path not in facts.files
    )
    yield from sorted(
        f"{path} differs from its parent's" for path in new & parent.files.keys() if path.startswith(VENV)
    )
    # Counted from the history's end: the parent may have been built anew, with --no-cache, since.
    shipped = sum(facts.layers[len(parent.layers) :])
    added = sum(facts.files[path].size for path in new if facts.files[path].kind == "f")
    if shipped > added + TOLERATED_BYTES:
        yield f"its own layers have {shipped} bytes, the files that it adds or changes {added}"


def _bytecode(facts: Facts, _: Expected) -> Iterable[str]:
    yield from facts.python["bytecode"][:5]
    if facts.environment.get("PYTHONDONTWRITEBYTECODE") != "1":
        yield "PYTHONDONTWRITEBYTECODE isn't set"


def _cpu_torch(facts: Facts, _: Expected) -> Iterable[str]:
    if not facts.python["torch"].endswith("+cpu, CUDA None"):
        yield f"torch is {facts.python['torch'] or 'missing'}"


def _offline(facts: Facts, _: Expected) -> Iterable[str]:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if facts.environment.get(name) != "1":
            yield f"{name} isn't set"


def _own_agent_only(facts: Facts, expected: Expected) -> Iterable[str]:
    present = set(facts.python["agent_modules"]) & set(AGENTS)
    if present != {expected.target}:
        yield f"holds the modules of {', '.join(sorted(present)) or 'no agent'}"


CHECKS: Mapping[str, Mapping[str, Look]] = {
    "root": {
        "no setuid or setgid file": _setuid,
        "no compiler": _compilers,
        "nothing that fetches": _fetchers,
        "no package cache": _caches,
        "nothing for a GPU": _gpu,
        "a numeric user above 10000": _user,
        "an init as PID 1": _init,
        "labels": _labels,
        "size": _size,
    },
    "python-agent-base": {
        "every named package imports": _imports,
        "adds to its parent's packages": _adds_only,
        "complete bytecode": _bytecode,
    },
    "ai": {
        "torch for CPUs": _cpu_torch,
        "no hub is asked": _offline,
    },
    **{agent: {"its own modules only": _own_agent_only} for agent in AGENTS},
}
"""Checks by the image at which they begin."""
