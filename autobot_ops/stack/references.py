"""Which image each service runs, and how a missing one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autobot_ops.adapters.images import ImageStore
from autobot_ops.stack.build_progress import StepEvent
from autobot_ops.stack.environment import image_variable
from autobot_ops.stack.image_inputs import image_references
from autobot_ops.stack.images import apply_build, observe_build
from autobot_ops.stack.stack import Stack


def images_to_run(stack: Stack, environ: Mapping[str, str]) -> dict[str, str]:
    """References by image name: what the sources call for, unless AUTOBOT_<NAME>_IMAGE names another."""
    references = image_references(stack.settings, stack.settings.root)
    return {name: environ.get(image_variable(name), references[name]) for name in stack.image_names}


def image_builder(
    stack: Stack,
    environ: Mapping[str, str],
    *,
    watch: Callable[[StepEvent], None],
    say: Callable[[str], None],
) -> Callable[[Sequence[str]], None]:
    """A function that builds images by name, as `inv build` does; `environ` is the host's environment."""

    def build(names: Sequence[str]) -> None:
        store, root = ImageStore(stack.client), stack.settings.root
        plan = observe_build(stack.settings, root, store, targets=names)
        apply_build(stack.settings, root, store, plan, environ=environ, watch=watch, say=say)

    return build
