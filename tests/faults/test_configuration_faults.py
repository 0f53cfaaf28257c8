"""A bad configuration pushed while the stack runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault
from tests.integration.live import Stack

CATALOG = "config/redis-databases.yaml"
IN_FORCE = "catalog:digest"


@pytest.fixture
def catalog(root: Path) -> Iterator[Path]:
    """The catalog of databases, as it was afterwards."""
    path = root / CATALOG
    text = path.read_text()
    yield path
    path.write_text(text)


@pytest.mark.parametrize(
    ("spoilt", "right", "wrong", "words"),
    [
        ("is no YAML", "databases:\n", "databases: [\n", "not valid YAML"),
        ("gives two databases one number", "number: 7", "number: 6", "share the number 6"),
        ("grants a database that there isn't", "  sessions:\n", "  sesions:\n", "sessions"),
    ],
)
def test_a_spoilt_catalog_is_refused_by_name_and_nobody_is_harmed(
    survive: Survive, catalog: Path, spoilt: str, right: str, wrong: str, words: str
) -> None:
    text = catalog.read_text()
    assert right in text

    def spoil(_stack: Stack) -> None:
        catalog.write_text(text.replace(right, wrong, 1))

    def mend(_stack: Stack) -> None:
        catalog.write_text(text)

    outcome = survive(
        Fault(
            f"A bad configuration pushed: the catalog {spoilt}",
            inject=spoil,
            signs=(
                signs.inv_says(words, "database.reload", code=2, within=30),
                signs.inv_says(words, "up", code=2, within=30),
                signs.health_says("chat", IN_FORCE, "warn", "not in force"),
            ),
            mend=mend,
            recovers_within=20,
        )
    )
    assert outcome.refused == 0
