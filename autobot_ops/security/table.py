"""A security report as a table, as sentences, and as a document for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autobot_ops.security.answers import Verdict
from autobot_ops.security.judgement import SecurityReport

SHORT_ENDING = "-agent"


def columns(report: SecurityReport) -> tuple[str, ...]:
    """Column names; agents by their short names, so that the table fits a terminal."""
    return ("check", "what holds", *(service.removesuffix(SHORT_ENDING) for service in report.services))


def rows(report: SecurityReport) -> list[tuple[str, ...]]:
    """A row for each check."""
    return [
        (row.check.number, row.check.title, *(str(row.answers[name].verdict) for name in report.services))
        for row in report.rows
    ]


def sentences(report: SecurityReport) -> Iterator[str]:
    """Why cells are waived, unknown or not applicable; services with the same reason in one sentence."""
    for row in report.rows:
        services: dict[tuple[Verdict, str], list[str]] = {}
        for service, answer in row.answers.items():
            if answer.reason:
                services.setdefault((answer.verdict, answer.reason), []).append(service)
        for (verdict, reason), names in services.items():
            where = "every service" if len(names) == len(report.services) else ", ".join(names)
            yield f"{verdict}: {row.check.number} {where}: {reason}"


def summary(report: SecurityReport) -> str:
    """The report in a line."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items())
    return f"{len(report.rows)} checks of {len(report.services)} containers: {counts}"


def as_document(report: SecurityReport, failures: Sequence[str]) -> dict[str, Any]:
    """Everything, for a program."""
    return {
        "services": list(report.services),
        "counts": {str(verdict): count for verdict, count in report.counts.items()},
        "failures": list(failures),
        "checks": [
            {
                "number": row.check.number,
                "title": row.check.title,
                "answers": {
                    service: {
                        "verdict": str(answer.verdict),
                        "findings": list(answer.findings),
                        "reason": answer.reason,
                        "waivers": [waiver.name for waiver in row.waived[service]],
                    }
                    for service, answer in row.answers.items()
                },
            }
            for row in report.rows
        ],
    }
