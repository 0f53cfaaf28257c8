"""What a check can answer. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """A check's answer in a word. UNKNOWN is never taken for YES."""

    YES = "yes"
    NO = "no"
    WAIVED = "waived"
    NOT_APPLICABLE = "n/a"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """A verdict, with `findings` (what is wrong, each waivable by itself) or the `reason` of another one."""

    verdict: Verdict
    findings: tuple[str, ...] = ()
    reason: str = ""


YES = Answer(Verdict.YES)


def judged(findings: Iterable[str]) -> Answer:
    """No, with what was found; yes where nothing was."""
    found = tuple(dict.fromkeys(findings))
    return Answer(Verdict.NO, found) if found else YES


def not_applicable(reason: str) -> Answer:
    """The check has no meaning for this container."""
    return Answer(Verdict.NOT_APPLICABLE, reason=reason)


def unknown(reason: str) -> Answer:
    """What the check needs to know could not be seen."""
    return Answer(Verdict.UNKNOWN, reason=reason)
