"""What pip-audit, debsecan and apt print, read into flaws and updates. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from autobot_ops.audit.results import Flaw, Severity, Update

PIP_AUDIT, DEBSECAN = "pip-audit", "debsecan"
NO_CURE = ""
ALREADY_THERE = "the suite"
URGENCIES: dict[str, Severity] = {"high": "high", "medium": "medium", "low": "low"}

_HEAD = re.compile(r"^(?P<bug>\S+?)(?: \((?P<notes>[^)]*)\))?$")
_INSTALLED = re.compile(r"^  installed: (?P<package>\S+) (?P<version>\S+)$")
_ADVICE = re.compile(r"^Inst (?P<package>\S+) \[(?P<version>[^\]]+)\] \((?P<offered>\S+) (?P<origin>.*?)\)")


class UnreadableReport(ValueError):
    """A program printed something else than its documented format."""


def parse_pip_audit(text: str) -> tuple[tuple[Flaw, ...], tuple[str, ...]]:
    """Flaws, and the names of distributions that were skipped, from `pip-audit --format json`.

    PyPI's advisories carry no rating. Raises UnreadableReport.
    """
    try:
        dependencies = json.loads(text)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableReport("pip-audit printed no report") from error
    flaws = tuple(
        Flaw(
            source=PIP_AUDIT,
            id=_best_id(each),
            package=dependency["name"],
            version=dependency["version"],
            severity="unrated",
            fixed_in=next(iter(each["fix_versions"]), NO_CURE),
        )
        for dependency in dependencies
        for each in dependency.get("vulns", ())
    )
    skipped = tuple(each["name"] for each in dependencies if "skip_reason" in each)
    return flaws, skipped


def parse_debsecan(text: str) -> tuple[Flaw, ...]:
    """Flaws from `debsecan --format detail`: paragraphs, each with a head and what is installed."""
    return tuple(_paragraphs(text))


def parse_upgrade(text: str) -> tuple[Update, ...]:
    """What `apt-get --simulate upgrade` would install in place of something older."""
    return tuple(
        Update(
            package=found["package"],
            version=found["version"],
            offered=found["offered"],
            security="security" in found["origin"].lower(),
        )
        for line in text.splitlines()
        if (found := _ADVICE.match(line))
    )


def _best_id(vulnerability: dict[str, Any]) -> str:
    names: list[str] = [vulnerability["id"], *vulnerability.get("aliases", ())]
    return next((name for name in names if name.startswith("CVE-")), names[0])


def _paragraphs(text: str) -> Iterator[Flaw]:
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.strip()]
        if not lines:
            continue
        head = _HEAD.match(lines[0])
        installed = next((found for line in lines if (found := _INSTALLED.match(line))), None)
        if head is None or installed is None:
            raise UnreadableReport(f"debsecan printed a paragraph without a package: {lines[0]}")
        notes = (head["notes"] or "").split(", ")
        yield Flaw(
            source=DEBSECAN,
            id=head["bug"],
            package=installed["package"],
            version=installed["version"],
            severity=_severity(notes),
            fixed_in=_fixed_in(lines) if "fixed" in notes else NO_CURE,
        )


def _severity(notes: list[str]) -> Severity:
    for note in notes:
        word = note.removesuffix(" urgency")
        if word != note and word in URGENCIES:
            return URGENCIES[word]
    return "unrated"


def _fixed_in(lines: list[str]) -> str:
    """Versions on branches, newest last; debsecan says that one of them is in the suite, not which."""
    versions = [
        line.split()[4] for line in lines if line.startswith("  fixed on branch:") and len(line.split()) > 4
    ]
    return " or ".join(versions) if versions else ALREADY_THERE
