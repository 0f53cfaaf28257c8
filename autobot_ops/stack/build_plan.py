"""Which images a build makes, and why. The plan's text is the dry run and the explanation.

Pure: no Docker, no files, no clock, no printing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autobot_ops.stack.image_graph import IMAGES, with_needs
from autobot_ops.stack.image_inputs import PARENT, SETTING, VERSION, ImageInputs

NAMED_FILES = 2
"""Changed files that a cause names; the rest are counted."""


class Action(enum.Enum):
    """What happens to an image."""

    CACHED = "cached"
    BUILD = "build"


@dataclass(frozen=True)
class ExistingImage:
    """An image that the engine has. `inputs` is its label's content, empty if it has none."""

    reference: str
    created: float
    size_bytes: int
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class BuildStep:
    """One image of the plan. `cause` says in words why it is built; it is empty for a cached one."""

    target: str
    reference: str
    action: Action
    cause: str = ""


@dataclass(frozen=True)
class BuildPlan:
    """Steps with parents before children. Images that nothing in the plan needs aren't mentioned."""

    steps: tuple[BuildStep, ...]
    no_cache: bool = False

    @property
    def to_build(self) -> tuple[BuildStep, ...]:
        """The steps that build something."""
        return tuple(step for step in self.steps if step.action is Action.BUILD)


def plan_build(
    inputs: Mapping[str, ImageInputs],
    existing: Sequence[ExistingImage],
    *,
    targets: Iterable[str],
    no_cache: bool = False,
) -> BuildPlan:
    """Plan the images that `targets` name, and those below them that their builds need.

    An image whose tag exists is cached, whatever became of its parents. With `no_cache` the targets
    and everything below them are built.
    """
    present = {image.reference for image in existing}
    wanted = set(targets)
    building: dict[str, str] = {}
    if no_cache:
        wanted = set(with_needs(wanted))
        building = dict.fromkeys(wanted, "asked by --no-cache")
    else:
        # Children first: what one of them needs is known when its parents' turn comes.
        for target in reversed(tuple(IMAGES)):
            if target in wanted and inputs[target].reference not in present:
                building[target] = ""
                wanted.update(IMAGES[target].needs)
        building = {
            target: _cause(inputs[target], existing, building) for target in IMAGES if target in building
        }
    steps = tuple(
        BuildStep(
            target,
            inputs[target].reference,
            Action.BUILD if target in building else Action.CACHED,
            building.get(target, ""),
        )
        for target in IMAGES
        if target in wanted
    )
    return BuildPlan(steps, no_cache)


def render_plan(plan: BuildPlan) -> str:
    """The plan as text, one line per image."""
    width = max((len(step.target) for step in plan.steps), default=0)
    lines = [f"{step.target:<{width}}  {step.action.value:<6}  {step.cause}".rstrip() for step in plan.steps]
    count = len(plan.to_build)
    total = "nothing to build" if not count else f"{count} to build, {len(plan.steps) - count} cached"
    return "\n".join([*lines, total])


def _cause(wanted: ImageInputs, existing: Sequence[ExistingImage], building: Mapping[str, str]) -> str:
    """Compare with the newest image of the same name; without one there is nothing to compare."""
    family = [
        image
        for image in existing
        if image.inputs and image.reference.rpartition(":")[0] == wanted.repository
    ]
    latest = max(family, key=lambda image: image.created, default=None)
    if latest is None:
        return "image is missing"
    before, after = latest.inputs, wanted.inputs
    causes: list[str] = []
    files: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        if name.startswith(PARENT):
            parent = name.removeprefix(PARENT)
            causes.append(f"parent {parent} is rebuilt" if parent in building else f"parent {parent} changed")
        elif name.startswith(SETTING):
            causes.append(f"{name} is {after.get(name, 'unset')} instead of {before.get(name, 'unset')}")
        elif name == VERSION:
            causes.append(f"version is {after.get(name)} instead of {before.get(name)}")
        else:
            verb = "added" if name not in before else "removed" if name not in after else "changed"
            files.append(f"{name} {verb}")
    if len(files) > NAMED_FILES:
        files = [*files[:NAMED_FILES], f"{len(files) - NAMED_FILES} more files"]
    return "; ".join([*files, *causes]) or "image is missing"
