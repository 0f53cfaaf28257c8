"""The runner of sabotages: what counts as caught, and that every sabotage is of an obligation."""

from __future__ import annotations

import pytest

from tests.integration.obligations import OBLIGATIONS
from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.model import Sabotage
from tests.sabotage.runner import Verdict


def test_one_that_could_not_be_applied_does_not_hold_and_says_why() -> None:
    verdict = Verdict(7, "a wrong number", (), (), not_applied="LookupError: nothing to replace")
    assert not verdict.holds
    assert verdict.cells[2] == "**not applied**: LookupError: nothing to replace"


@pytest.mark.parametrize(
    ("caught_by", "still_failing", "holds", "cells"),
    [
        (("a",), (), True, ("`a`", "yes")),
        (("a", "b", "c"), (), True, ("`a` and 2 more", "yes")),
        ((), (), False, ("**nobody**", "yes")),
        (("a",), ("a",), False, ("`a`", "**no**: `a`")),
    ],
)
def test_a_sabotage_is_caught_when_tests_fail_until_it_is_mended(
    caught_by: tuple[str, ...], still_failing: tuple[str, ...], holds: bool, cells: tuple[str, str]
) -> None:
    verdict = Verdict(7, "a wrong number", caught_by, still_failing)
    assert verdict.holds is holds
    assert verdict.cells == ("7", "a wrong number", *cells)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.what)
def test_a_sabotage_is_of_an_obligation_and_says_in_words_what_is_spoilt(sabotage: Sabotage) -> None:
    assert sabotage.obligations
    assert set(sabotage.obligations) <= set(OBLIGATIONS)
    assert not sabotage.what.endswith(".")


def test_no_two_sabotages_have_the_same_words() -> None:
    words = [sabotage.what for sabotage in SABOTAGES]
    assert len(set(words)) == len(words)
