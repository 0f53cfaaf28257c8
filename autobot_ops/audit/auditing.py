"""Audit images: what each consists of, what is known to be wrong with it, what a new build would cure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker

from autobot_ops.adapters.container_view import image_document
from autobot_ops.adapters.image_contents import read_records
from autobot_ops.audit.bom import render_bom
from autobot_ops.audit.packages import Contents, parse_records
from autobot_ops.audit.results import (
    FOLDER,
    SBOM_ENDING,
    AuditResult,
    Update,
    audit_file,
    save_audit,
)
from autobot_ops.audit.sources import PackageMirror, ask_debsecan, ask_pip_audit, find_debsecan
from autobot_ops.errors import ExternalCommandFailed
from autobot_ops.stack.host_apt import load_host_apt


@dataclass(frozen=True)
class Audited:
    """One image's result and where its bill of materials is."""

    result: AuditResult
    bom: Path


def audit_images(
    client: docker.DockerClient, root: Path, images: Sequence[str], *, pip_audit: Path | None
) -> Iterator[Audited]:
    """Audit images by reference and write each result; files of an earlier audit of it are replaced.

    Raises ExternalCommandFailed for an image that isn't there or doesn't show its records, InvalidBom.
    """
    mirror = _open_mirror(root)
    debsecan = find_debsecan(mirror)
    for image in images:
        contents = parse_records(read_records(image))
        bom = _write_bom(client, root, image, contents)
        updates = _updates(mirror, contents)
        answers = (ask_pip_audit(pip_audit, contents), ask_debsecan(debsecan, contents))
        result = AuditResult(
            image=image,
            day=datetime.now(UTC).date().isoformat(),
            components=contents.counts,
            flaws=tuple(flaw for answer in answers for flaw in answer.flaws),
            unreached=tuple(each for answer in answers for each in answer.unreached),
            updates=updates,
        )
        save_audit(root, result)
        yield Audited(result, bom)


def _open_mirror(root: Path) -> PackageMirror | None:
    mirror = PackageMirror(root / FOLDER / "apt", load_host_apt())
    return mirror if mirror.refresh() else None


def _updates(mirror: PackageMirror | None, contents: Contents) -> tuple[Update, ...] | None:
    if mirror is None:
        return None
    try:
        return mirror.updates(contents)
    except ExternalCommandFailed:
        return None


def _write_bom(client: docker.DockerClient, root: Path, image: str, contents: Contents) -> Path:
    document = image_document(client, image)
    created = datetime.fromisoformat(document["Created"][:19]).replace(tzinfo=UTC)
    target = audit_file(root, image, SBOM_ENDING)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render_bom(image, document["Id"], created, contents))
    return target
