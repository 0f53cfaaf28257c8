"""Which image each service runs: the one that the sources call for, unless a variable names another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autobot_ops.stack.environment import image_variable
from autobot_ops.stack.stack import Stack


def images_to_run(stack: Stack, environ: Mapping[str, str]) -> dict[str, str]:
    """References by image name. AUTOBOT_<NAME>_IMAGE in `environ` overrules what the sources say."""
    named = {
        name: environ[variable] for name in stack.image_names if (variable := image_variable(name)) in environ
    }
    if len(named) == len(stack.image_names):
        return named
    from autobot_ops.stack.images import image_references

    references = image_references(stack.settings, stack.settings.root)
    return {name: named.get(name, references[name]) for name in stack.image_names}


def build_missing(stack: Stack) -> Callable[[Sequence[str]], None]:
    """A function that builds images by name."""

    def build(names: Sequence[str]) -> None:
        from autobot_ops.stack.images import build_images

        build_images(stack.settings, names)

    return build
