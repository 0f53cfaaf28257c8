"""docs/security.md has the checks, the waivers and the answers as the code has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.security.answers import Verdict
from autobot_ops.security.catalogue import CHECKS
from autobot_ops.security.waivers import WAIVERS


@pytest.fixture(scope="module")
def tables(root: Path) -> list[list[str]]:
    """Cells of every table row."""
    lines = (root / "docs/security.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_every_check_is_documented_with_its_title(tables: list[list[str]]) -> None:
    documented = [(row[0], row[1]) for row in tables if row[0].startswith("S") and len(row) == 3]
    assert documented == [(check.number, check.title) for check in CHECKS]


def test_every_waiver_is_documented_with_its_reason(tables: list[list[str]]) -> None:
    documented = [tuple(row) for row in tables if len(row) == 5 and row[0] not in {"waiver", "---"}]
    assert documented == [
        (waiver.name, waiver.check, ", ".join(waiver.services) or "all", waiver.finding, waiver.reason)
        for waiver in WAIVERS
    ]


def test_every_answer_is_documented(tables: list[list[str]]) -> None:
    answers = [row[0].strip("`") for row in tables if len(row) == 2]
    assert answers == ["answer", "---", *(str(verdict) for verdict in Verdict)]
