"""What a fault's outcome owes, and what counts as a lost write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.fault import Fault, Outcome, Sign, shortcomings
from tests.faults.table import COLUMNS, row
from tests.faults.writers import missing_in_order

FAULT = Fault(
    "Redis killed",
    inject=lambda _: None,
    signs=(Sign("readyz", lambda _: True, 5),),
    recovers_within=30,
    starts_anew=("redis",),
)
GOOD = Outcome(
    "Redis killed",
    seen={"readyz": 1.0},
    recovered=2.0,
    acknowledged=9,
    slowest_seconds=1.0,
    started_anew=["redis"],
)


def test_an_outcome_that_is_as_it_shall_be_owes_nothing() -> None:
    assert shortcomings(FAULT, GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seen": {"readyz": None}}, "readyz did not say so within 5 s"),
        ({"seen": {}}, "readyz did not say so within 5 s"),
        ({"recovered": None}, "not recovered within 30 s"),
        ({"lost": ["chat: message 3"]}, "1 acknowledged writes are lost: chat: message 3"),
        ({"acknowledged": 0}, "nothing was acknowledged"),
        ({"slowest_seconds": 31.0}, "a request waited 31.0 s"),
        ({"started_anew": ["redis", "rag-agent"]}, "started anew without a reason: rag-agent"),
    ],
)
def test_whatever_is_missing_is_owed(change: dict[str, Any], words: str) -> None:
    (owed,) = shortcomings(FAULT, replace(GOOD, **change))
    assert words in owed


@pytest.mark.parametrize(
    ("acknowledged", "found", "missing"),
    [
        ("abc", "abc", ""),
        ("abc", "axbxcx", ""),
        ("abc", "aabbcc", ""),
        ("abc", "ac", "b"),
        ("abc", "", "abc"),
        ("abc", "acb", "c"),
        ("", "abc", ""),
    ],
)
def test_what_is_gone_or_stands_in_another_order_is_missing(
    acknowledged: str, found: str, missing: str
) -> None:
    assert missing_in_order(list(acknowledged), list(found)) == list(missing)


def test_a_line_has_a_cell_for_each_column() -> None:
    cells = row(replace(GOOD, by_itself=True))
    assert len(cells) == len(COLUMNS)
    assert "2.0 by itself" in cells
    assert "never" in row(replace(GOOD, recovered=None))[2]
