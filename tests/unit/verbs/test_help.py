"""`inv --help VERB`: every flag has a name and says what it does."""

from __future__ import annotations

import re

import pytest
from invoke.parser import ParserContext

import tasks
from tests.inv_in_process import Inv

VERBS: dict[str, ParserContext] = {str(context.name): context for context in tasks.namespace.to_contexts()}
NAMED = re.compile(r"-[a-z]( STRING| INT| \[STRING\])?|--(\[no-\])?[a-z][a-z-]*(=STRING|=INT|\[=STRING\])?")


def test_the_verbs_are_known() -> None:
    assert {"up", "migrate.run", "demo.seed"} < set(VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_row_has_a_named_flag_and_a_text(verb: str) -> None:
    for flags, text in VERBS[verb].help_tuples():
        assert [flag for flag in flags.split(", ") if not NAMED.fullmatch(flag)] == [], flags
        assert text, f"{flags} is not explained"


def test_the_help_of_migrate_gives_each_flag_by_name_every_time(inv: Inv) -> None:
    for _ in range(2):
        output = inv("--help", "migrate").output
        assert re.search(
            r"-c STRING, --on-conflict=STRING +fail, skip, replace or keep-newer$", output, re.MULTILINE
        )
