"""The images: which recipe each is made from, what it stands on, and which files decide its content.

docker-bake.hcl says the same to Docker; tests/repository compares the two, and the inputs with what
the recipes mount. Pure: no Docker, no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autobot_ops.errors import ConfigurationError

AGENTS = ("chat", "rag", "npu", "research", "knowledge")
_STEPS = "docker/base/build-steps"
APT = (f"{_STEPS}/apt-install.sh", f"{_STEPS}/seal-layer.sh")
VENV = (f"{_STEPS}/venv-install.sh", f"{_STEPS}/seal-layer.sh")
CODE = (f"{_STEPS}/add-code.sh", "src", "docker/base/scripts")


@dataclass(frozen=True)
class Image:
    """One image: `target` is its name in docker-bake.hcl, `name` its repository below the namespace.

    `stage` is the recipe's stage that becomes the image; stage names are unique over all recipes.
    `inputs` are files and folders that the recipe copies or mounts. `tool` is mounted by the recipe but
    leaves nothing in the image: another version of it is no reason to build again.
    """

    target: str
    name: str
    dockerfile: str
    stage: str
    inputs: tuple[str, ...]
    parent: str = ""
    tool: str = ""
    agent: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Images that must exist before this one is built."""
        return tuple(target for target in (self.parent, self.tool) if target)


def _shared(target: str, stage: str, parent: str, *more: str) -> Image:
    return Image(
        target=target,
        name=target,
        dockerfile="docker/base/Dockerfile.python-agent",
        stage=stage,
        parent=parent,
        tool="uv",
        inputs=(*VENV, f"docker/base/requirements-{stage}.txt", *more),
    )


def _agent(name: str, parent: str, *more: str) -> Image:
    return Image(
        target=name,
        name=f"{name}-agent",
        dockerfile=f"docker/agents/Dockerfile.{name}-agent",
        stage=name,
        parent=parent,
        tool="uv",
        agent=name,
        inputs=(*VENV, f"docker/agents/requirements-{name}.txt", *CODE, *more),
    )


def _service(name: str) -> Image:
    return Image(
        target=name,
        name=name,
        dockerfile=f"docker/{name}/Dockerfile",
        stage=name,
        parent="root",
        inputs=(*APT, f"docker/{name}"),
    )


_ALL = (
    Image(
        target="root",
        name="root",
        dockerfile="docker/base/Dockerfile.root",
        stage="root",
        inputs=APT,
    ),
    Image(
        target="uv",
        name="uv",
        dockerfile="docker/base/Dockerfile.uv",
        stage="uv",
        parent="root",
        inputs=(APT[0], "docker/base/requirements-uv.txt"),
    ),
    _shared("python-agent-base", "base", "root", *APT),
    _shared("ai", "ai", "python-agent-base"),
    _shared("web", "web", "python-agent-base"),
    _agent("chat", "ai"),
    _agent("rag", "ai"),
    _agent("npu", "ai"),
    _agent("research", "web", *APT),
    _agent("knowledge", "python-agent-base"),
    _service("redis"),
    _service("postgres"),
)

IMAGES: Mapping[str, Image] = MappingProxyType({image.target: image for image in _ALL})
"""Every image by target, parents before children."""

SERVICE_TARGETS = (*AGENTS, "redis", "postgres")
"""Images that containers run; the others exist to be stood on."""


def belongs_to_another_agent(path: str, agent: str) -> bool:
    """Whether a file below src/ is named after another agent; such files stay out of `agent`'s image.

    A name counts as far as its first underscore: `src/agents/knowledge_store.py` is knowledge's.
    """
    folder, _, rest = path.partition("src/agents/")
    owner = rest.split("/", 1)[0].removesuffix(".py").split("_", 1)[0]
    return not folder and owner in AGENTS and owner != agent


def target_of_stage(stage: str) -> str:
    """The image that a recipe's stage belongs to, "" if none. `uv-download` belongs to the stage `uv`."""
    for image in IMAGES.values():
        if stage == image.stage or stage.startswith(f"{image.stage}-"):
            return image.target
    return ""


def targets_for_agent(name: str) -> tuple[str, ...]:
    """The target of one agent. Raises ConfigurationError for an unknown name."""
    if name not in AGENTS:
        raise ConfigurationError(f"unknown agent '{name}'", hint=f"Use one of {', '.join(AGENTS)}.")
    return (name,)


def with_needs(targets: Iterable[str]) -> tuple[str, ...]:
    """The targets and everything that their builds stand on, parents first."""
    wanted = set(targets)
    for target in reversed(tuple(IMAGES)):
        if target in wanted:
            wanted.update(IMAGES[target].needs)
    return tuple(target for target in IMAGES if target in wanted)
