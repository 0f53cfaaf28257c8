"""Audits as tables and sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autobot_ops.audit.results import AuditResult

COLUMNS = (
    "image",
    "Debian packages",
    "Python packages",
    "known flaws",
    "fixable, of weight",
    "updates offered",
)
FIXABLE_COLUMNS = ("image", "package", "installed", "cure", "why")
UNKNOWN = "unknown"
NO_MIRROR = ("updates", "no mirror of Debian bookworm that this host's apt knows answers")


def rows(results: Sequence[AuditResult]) -> list[tuple[str, ...]]:
    """A row for each image. A figure that a missing source could change is unknown, never 0."""
    return [
        (
            result.image,
            str(result.components.get("deb", 0)),
            str(result.components.get("pypi", 0)),
            _flaws(result, len(result.flaws)),
            _flaws(result, sum(flaw.must_be_fixed for flaw in result.flaws)),
            UNKNOWN if result.updates is None else str(len(result.updates)),
        )
        for result in results
    ]


def fixable_rows(results: Sequence[AuditResult]) -> list[tuple[str, ...]]:
    """What can be cured now: flaws that have a cure, of any weight, and updates that a build would take."""
    found: list[tuple[str, ...]] = []
    for result in results:
        found += [
            (result.image, flaw.package, flaw.version, flaw.fixed_in, f"{flaw.id} ({flaw.severity})")
            for flaw in result.flaws
            if flaw.fixed_in
        ]
        found += [
            (
                result.image,
                update.package,
                update.version,
                update.offered,
                "security update" if update.security else "update",
            )
            for update in result.updates or ()
        ]
    return found


def sentences(results: Sequence[AuditResult]) -> Iterator[str]:
    """What is not known, and why; images with the same reason in one sentence."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for each in result.unreached:
            reasons.setdefault((each.source, each.reason), []).append(result.image)
        if result.updates is None:
            reasons.setdefault(NO_MIRROR, []).append(result.image)
    for (source, reason), images in reasons.items():
        where = "every image" if len(images) == len(results) else ", ".join(images)
        yield f"unknown, {source}, {where}: {reason}"


def _flaws(result: AuditResult, count: int) -> str:
    if not result.unreached:
        return str(count)
    return f"{count}, the rest {UNKNOWN}" if count else UNKNOWN
