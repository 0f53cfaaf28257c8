"""Finds the image that everything starts from: here, in a registry, or made from this host's apt sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from autobot_ops.adapters import process
from autobot_ops.adapters.images import ImageStore, registry_has
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.settings import Settings

SCRIPT = "scripts/build-root-image"


def resolve_root_image(
    settings: Settings, root: Path, store: ImageStore, *, say: Callable[[str], None], refresh: bool = False
) -> str:
    """The reference to start from. `say` is told what takes time; `refresh` asks a registry first.

    Where no registry answers within registry_timeout seconds, a Debian is made from the host's apt
    sources; it gets a name of its own, since it isn't the registry's image. Raises ConfigurationError
    where a registry answers and has no such image, ServiceUnreachable where none answers and the
    setting names something else than a Debian.
    """
    wanted = settings.root_image
    recipe = hashlib.sha256((root / SCRIPT).read_bytes()).hexdigest()[:12]
    substitute = f"{settings.image_namespace}/debian:{recipe}"
    present = next((reference for reference in (wanted, substitute) if store.has(reference)), "")
    if present and not refresh:
        return present
    if registry_has(wanted, timeout=settings.registry_timeout):
        say(f"pulling {wanted}")
        store.pull(wanted)
        return wanted
    if present == wanted:
        return present
    if wanted.rpartition("/")[2].partition(":")[0] != "debian":
        raise ServiceUnreachable(
            f"no registry answers for {wanted}",
            hint=f"Use docker load, or set root_image to debian:bookworm-slim, which {SCRIPT} can make.",
        )
    say(f"no registry answers for {wanted}: making a Debian from this host's apt sources")
    process.query([str(root / SCRIPT), substitute], cwd=root)
    return substitute
