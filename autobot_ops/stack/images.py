"""Builds images: observe what the engine has, plan, apply.

An image gets its content tag only when it is complete, so a build that fails or is interrupted leaves
nothing that a later one could take for finished.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.adapters import process
from autobot_ops.adapters.images import ImageStore, LocalImage
from autobot_ops.errors import ExternalCommandFailed, RefusedForSafety
from autobot_ops.settings import Settings
from autobot_ops.stack.build_context import INPUTS_LABEL, build_context
from autobot_ops.stack.build_failures import explain_build_failure
from autobot_ops.stack.build_plan import Action, BuildPlan, ExistingImage, plan_build
from autobot_ops.stack.build_progress import BuildLog, StepEvent
from autobot_ops.stack.image_graph import SERVICE_TARGETS
from autobot_ops.stack.image_inputs import ImageInputs, image_references, read_inputs
from autobot_ops.stack.root_image import resolve_root_image

__all__ = ["image_references"]


class SourcesChanged(RefusedForSafety):
    """An image's input was edited while it was being built."""


class ImageBuildFailed(ExternalCommandFailed):
    """A step of an image's recipe failed."""


@dataclass(frozen=True)
class ImageResult:
    """One image after a build. `outcome` is `cached` or why it was built; `seconds` its own steps took."""

    target: str
    reference: str
    size_bytes: int
    outcome: str
    seconds: float

    @property
    def tag(self) -> str:
        """The content digest."""
        return self.reference.rpartition(":")[2]


def observe_build(
    settings: Settings,
    root: Path,
    store: ImageStore,
    *,
    targets: Iterable[str] = SERVICE_TARGETS,
    no_cache: bool = False,
) -> BuildPlan:
    """Read the project's files and the engine's list of images, and plan what must be built."""
    existing = [_existing(image) for image in store.list(settings.image_namespace)]
    return plan_build(read_inputs(settings, root), existing, targets=targets, no_cache=no_cache)


def missing_images(
    settings: Settings, root: Path, store: ImageStore, targets: Iterable[str] = SERVICE_TARGETS
) -> list[str]:
    """Those of the targets whose image, as the present files describe it, the engine doesn't have."""
    present = {image.reference for image in store.list(settings.image_namespace)}
    references = image_references(settings, root)
    return [target for target in targets if references[target] not in present]


def build_images(
    settings: Settings,
    targets: Iterable[str] = SERVICE_TARGETS,
    *,
    environ: Mapping[str, str] = os.environ,
    watch: Callable[[StepEvent], None] = lambda event: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[ImageResult]:
    """Build what is missing of the targets, and what that needs; see apply_build."""
    with ImageStore() as store:
        plan = observe_build(settings, settings.root, store, targets=targets)
        return apply_build(settings, settings.root, store, plan, environ=environ, watch=watch, say=say)


def apply_build(
    settings: Settings,
    root: Path,
    store: ImageStore,
    plan: BuildPlan,
    *,
    environ: Mapping[str, str],
    watch: Callable[[StepEvent], None],
    say: Callable[[str], None],
) -> list[ImageResult]:
    """Build what the plan says and return one result per image of the plan.

    `watch` gets each step as it goes on, `say` what else a person should read. Raises
    ImageBuildFailed, after it has said the last lines of the failed step, and SourcesChanged where
    somebody edited an input since the plan was made: a tag always belongs to what was built.
    """
    log = BuildLog()
    if plan.to_build:
        _bake(settings, root, store, plan, log, environ, watch, say)
    sizes = {image.reference: image.size_bytes for image in store.list(settings.image_namespace)}
    return [
        ImageResult(
            step.target,
            step.reference,
            sizes.get(step.reference, 0),
            step.cause if step.action is Action.BUILD else Action.CACHED.value,
            log.seconds(step.target),
        )
        for step in plan.steps
    ]


def _bake(
    settings: Settings,
    root: Path,
    store: ImageStore,
    plan: BuildPlan,
    log: BuildLog,
    environ: Mapping[str, str],
    watch: Callable[[StepEvent], None],
    say: Callable[[str], None],
) -> None:
    targets = [step.target for step in plan.to_build]
    root_image = settings.root_image
    if "root" in targets:
        root_image = resolve_root_image(settings, root, store, say=say, refresh=plan.no_cache)
    inputs = read_inputs(settings, root)
    _refuse_changed_sources(plan, inputs)
    with build_context(settings, root, plan, inputs, root_image=root_image, environ=environ) as context:
        files = [argument for file in context.files for argument in ("--file", str(file))]
        # Provenance would give every build another digest, and Compose would recreate its containers.
        command = ["docker", "buildx", "bake", *files, "--progress=rawjson", "--provenance=false", *targets]
        lines = process.stream_lines(command, env=context.environment, cwd=root)
        try:
            for event in log.events(lines):
                watch(event)
        except process.CommandFailed as error:
            raise _failed(log, error, say) from error
    try:
        _refuse_changed_sources(plan, read_inputs(settings, root))
    except SourcesChanged:
        for step in plan.to_build:
            store.forget(step.reference)
        raise


def _refuse_changed_sources(plan: BuildPlan, inputs: Mapping[str, ImageInputs]) -> None:
    changed = [step.target for step in plan.to_build if step.reference != inputs[step.target].reference]
    if changed:
        raise SourcesChanged(
            f"files of {', '.join(changed)} were edited during the build",
            hint="Run the command again; what hasn't changed comes from the cache.",
        )


def _failed(log: BuildLog, error: process.CommandFailed, say: Callable[[str], None]) -> ImageBuildFailed:
    failure = log.failure()
    if failure is None:
        output = "\n".join(log.remarks)
        say(output)
        return ImageBuildFailed("docker buildx bake failed", hint=explain_build_failure(output))
    for line in failure.log or (failure.error,):
        say(f"  {line}")
    return ImageBuildFailed(
        f"building the image {failure.target} failed at: {failure.what}",
        hint=explain_build_failure("\n".join([*failure.log, failure.error, *log.remarks])),
    )


def _existing(image: LocalImage) -> ExistingImage:
    try:
        inputs = json.loads(image.labels.get(INPUTS_LABEL, "{}"))
    except json.JSONDecodeError:
        inputs = {}
    return ExistingImage(image.reference, image.created, image.size_bytes, inputs)
