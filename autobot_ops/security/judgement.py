"""Judge what was seen: every check for every container, then the waivers. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autobot_ops.security.answers import Answer, Verdict
from autobot_ops.security.catalogue import CHECKS
from autobot_ops.security.check import Check
from autobot_ops.security.facts import StackFacts
from autobot_ops.security.waivers import WAIVERS, Waiver


@dataclass(frozen=True)
class Row:
    """One check and its answers by service. `waived` names the waivers that stand for its findings."""

    check: Check
    answers: Mapping[str, Answer]
    waived: Mapping[str, tuple[Waiver, ...]]


@dataclass(frozen=True)
class SecurityReport:
    """The table. `stale` are waivers of services that were judged, and that covered nothing."""

    services: tuple[str, ...]
    rows: tuple[Row, ...]
    stale: tuple[Waiver, ...]

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How often each verdict stands in the table."""
        verdicts = Counter(answer.verdict for row in self.rows for answer in row.answers.values())
        return {verdict: verdicts[verdict] for verdict in Verdict}

    @property
    def failures(self) -> tuple[str, ...]:
        """What has to be put right, a sentence each."""
        found = [
            f"{row.check.number} {service}: {finding}"
            for row in self.rows
            for service, answer in row.answers.items()
            if answer.verdict is Verdict.NO
            for finding in answer.findings
        ]
        return (*found, *(f"the waiver '{waiver.name}' covers nothing any more" for waiver in self.stale))

    def answer(self, number: str, service: str) -> Answer:
        """One cell; KeyError for a check or service that isn't in the table."""
        return {row.check.number: row for row in self.rows}[number].answers[service]


def judge(
    facts: StackFacts, *, checks: Sequence[Check] = CHECKS, waivers: Sequence[Waiver] = WAIVERS
) -> SecurityReport:
    """Every check for every container."""
    rows = tuple(_row(check, facts, waivers) for check in checks)
    used = {waiver.name for row in rows for covering in row.waived.values() for waiver in covering}
    present = facts.containers.keys()
    stale = tuple(
        waiver
        for waiver in waivers
        # One for a service that isn't running may be needed as soon as it does.
        if waiver.name not in used and (not waiver.services or present & set(waiver.services))
    )
    return SecurityReport(tuple(facts.containers), rows, stale)


def waive(
    answer: Answer, check: str, service: str, waivers: Sequence[Waiver]
) -> tuple[Answer, tuple[Waiver, ...]]:
    """The answer without the findings that waivers cover, and those waivers."""
    if answer.verdict is not Verdict.NO:
        return answer, ()
    covering = tuple(
        waiver for finding in answer.findings for waiver in waivers if waiver.covers(check, service, finding)
    )
    left = tuple(
        finding
        for finding in answer.findings
        if not any(waiver.covers(check, service, finding) for waiver in covering)
    )
    if left:
        return dataclasses.replace(answer, findings=left), covering
    names = ", ".join(dict.fromkeys(waiver.name for waiver in covering))
    return Answer(Verdict.WAIVED, reason=f"accepted as '{names}'"), covering


def _row(check: Check, facts: StackFacts, waivers: Sequence[Waiver]) -> Row:
    answers: dict[str, Answer] = {}
    waived: dict[str, tuple[Waiver, ...]] = {}
    for service, container in facts.containers.items():
        answer = check.judge(container, facts)
        answers[service], waived[service] = waive(answer, check.number, service, waivers)
    return Row(check, answers, waived)
