"""What a writer has to have met before a fault counts as seen by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from tests.faults import ledger as ledger_module
from tests.faults.fault import Scene
from tests.faults.ledger import Ledger, NotAcknowledged, Writer
from tests.faults.signs import writer_refused, writer_refused_or_held_up
from tests.integration.live import Stack


class Caller(Writer):
    name = "knowledge"
    per_second = 1.0
    refusal = ""

    def write(self, number: int) -> str:
        if self.refusal:
            raise NotAcknowledged(self.refusal)
        return str(number)

    def missing(self, acknowledged: Sequence[str]) -> list[str]:
        return []


class Fixed:
    """A scene with one writer that was refused, and had to wait, once before. Its stack isn't looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
        self.caller = Caller()
        ledger = Ledger([self.caller])
        self.account = ledger.accounts["knowledge"]
        self._patch = monkeypatch
        self.meets("PostgreSQL")
        self.meets("", seconds=1)
        self.scene = Scene(stack, ledger, 0.0, {"knowledge": replace(self.account)})

    def meets(self, refusal: str, *, seconds: float = 0) -> None:
        self.caller.refusal = refusal
        self._patch.setattr(ledger_module, "HELD_UP_SECONDS", -1.0 if seconds else 60.0)
        self.account.write_once(1)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Fixed:
    return Fixed(monkeypatch, cast("Stack", None))


def test_what_was_before_the_fault_is_no_sign_of_it(fixed: Fixed) -> None:
    assert not writer_refused("knowledge", "PostgreSQL").is_seen(fixed.scene)
    assert not writer_refused_or_held_up("knowledge", "PostgreSQL").is_seen(fixed.scene)
    fixed.meets("")
    assert not writer_refused_or_held_up("knowledge", "PostgreSQL").is_seen(fixed.scene)


def test_a_refusal_with_the_words_is_one(fixed: Fixed) -> None:
    fixed.meets("Redis")
    assert not writer_refused("knowledge", "PostgreSQL").is_seen(fixed.scene)
    assert not writer_refused_or_held_up("knowledge", "PostgreSQL").is_seen(fixed.scene)
    fixed.meets("PostgreSQL can't be reached")
    assert writer_refused("knowledge", "PostgreSQL").is_seen(fixed.scene)
    assert writer_refused_or_held_up("knowledge", "PostgreSQL").is_seen(fixed.scene)


def test_a_write_that_had_to_wait_is_one_where_that_counts(fixed: Fixed) -> None:
    fixed.meets("", seconds=1)
    assert not writer_refused("knowledge", "PostgreSQL").is_seen(fixed.scene)
    assert writer_refused_or_held_up("knowledge", "PostgreSQL").is_seen(fixed.scene)
