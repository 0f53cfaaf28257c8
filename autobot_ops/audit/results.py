"""What audits found, one file per image, so that later commands know it without auditing again.

The folder is no place for anything that must be kept: it can be removed at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autobot_ops.security.facts import Audit

FOLDER = "build/audit"
ENDING = ".audit.json"
SBOM_ENDING = ".cdx.json"

Severity = Literal["critical", "high", "medium", "low", "unrated"]
OF_WEIGHT: tuple[Severity, ...] = ("critical", "high", "unrated")
"""An unrated flaw counts as one of weight until somebody has rated it."""


class Flaw(BaseModel):
    """A known vulnerability of one installed package. `fixed_in` is empty where there is no cure yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    id: str
    package: str
    version: str
    severity: Severity
    fixed_in: str = ""

    @property
    def must_be_fixed(self) -> bool:
        """Whether it has weight and a cure."""
        return bool(self.fixed_in) and self.severity in OF_WEIGHT


class Update(BaseModel):
    """A newer version of an installed package that the package mirror offers. `security` where it says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str
    version: str
    offered: str
    security: bool


class Unreached(BaseModel):
    """A source of vulnerability data that did not answer, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    reason: str


class AuditResult(BaseModel):
    """One audit of one image. `components` counts packages of its bill of materials by kind (deb, pypi).

    `updates` is None where no mirror could be asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    day: str
    components: dict[str, int]
    flaws: tuple[Flaw, ...]
    unreached: tuple[Unreached, ...]
    updates: tuple[Update, ...] | None

    @property
    def facts(self) -> Audit:
        """What a security check needs to know of it."""
        flaws = (
            f"{flaw.package} {flaw.version} has {flaw.id} ({flaw.severity}), fixed in {flaw.fixed_in}"
            for flaw in self.flaws
            if flaw.must_be_fixed
        )
        # Debian's security archive takes nothing but cures, which nobody has rated for us.
        updates = (
            f"{update.package} {update.version} has a security update, {update.offered}"
            for update in self.updates or ()
            if update.security
        )
        return Audit(
            day=self.day,
            fixable=(*flaws, *updates),
            unreached=tuple(each.source for each in self.unreached),
        )


def audit_file(root: Path, image: str, ending: str = ENDING) -> Path:
    """The file of an image: `autobot/redis:0123` → `autobot-redis-0123.audit.json`."""
    return root / FOLDER / (image.replace("/", "-").replace(":", "-").replace("@", "-") + ending)


def save_audit(root: Path, result: AuditResult) -> Path:
    """Write it, by rename; an earlier one of the same image is replaced."""
    target = audit_file(root, result.image)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(target.name + ".new")
    scratch.write_text(result.model_dump_json(indent=2) + "\n")
    scratch.replace(target)
    return target


def load_audits(root: Path) -> dict[str, Audit]:
    """What is known, by image reference. A file that can't be read counts as no audit."""
    return {result.image: result.facts for result in _results(root)}


def _results(root: Path) -> Iterator[AuditResult]:
    for path in sorted((root / FOLDER).glob(f"*{ENDING}")):
        try:
            yield AuditResult.model_validate_json(path.read_bytes())
        except ValidationError:
            continue
