"""What the tests of the RDB library share."""

from __future__ import annotations

import pytest

from autobot_ops.rdb import grammar


@pytest.fixture(scope="session", autouse=True)
def _compiled_patterns() -> None:
    """Compile once, before Hypothesis looks at the time that an example takes."""
    grammar.usual_entries()
    grammar.stored_strings()
    grammar.scored_strings()
    grammar.listpack_scores()
    for width in (1, 2):
        grammar.listpack_tokens(width)
    for strings, scored in ((1, False), (2, False), (1, True)):
        grammar.plain_records(strings, scored=scored)
        grammar.stored_records(strings, scored=scored)
