"""The stack's secrets: rotate them while it runs."""

from __future__ import annotations

from invoke import Collection, Context

from autobot_ops.command import current_stack, recorded, task, verb
from autobot_ops.rotation.rotation import OVERLAP_SECONDS


@task(
    name="rotate",
    help={
        "service": "a user of Redis, postgres-ROLE, certificates, authority, data-keys, or all",
        "overlap": "seconds for which old and new hold together",
        "dry_run": "show what would be done, change nothing",
        "json": "print one JSON document",
    },
)
@verb
@recorded("secrets.rotate", "service", "overlap")
def secrets_rotate(
    context: Context,
    service: str,
    overlap: float = OVERLAP_SECONDS,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Give services new passwords, certificates and keys without a failed request."""
    import time

    from autobot_ops import frontend
    from autobot_ops.rotation import rotation
    from autobot_ops.rotation.services import StackRotations

    began = time.monotonic()
    stack = current_stack()
    known = StackRotations(stack)
    rotations = known.chosen(service)
    with rotation.alone(stack.settings.project_state_dir):
        steps = rotation.plan(rotations, overlap=rotation.checked_overlap(overlap))
        if dry_run or context.config.run.dry:
            if json:
                rows = [{"service": step.service, "step": step.what} for step in steps]
                frontend.emit_json({"project": stack.settings.project, "steps": rows})
            else:
                frontend.result("\n".join(map(str, steps)))
            return
        known.reach(rotations)
        with frontend.progress("", ("secret", "step")) as progress:
            rotation.apply(
                rotations, steps, on_step=lambda step: progress.update(step.service or "all", step.what)
            )
    seconds = round(time.monotonic() - began, 1)
    names = [each.service for each in rotations]
    if json:
        frontend.emit_json({"project": stack.settings.project, "seconds": seconds, "rotated": names})
    else:
        frontend.result(f"rotated in {seconds} s: {', '.join(names)}")


secrets = Collection("secrets")
secrets.add_task(secrets_rotate)
