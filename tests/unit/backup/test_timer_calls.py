"""What a schedule calls is there, with those flags."""

from __future__ import annotations

import pytest

import tasks
from autobot_ops.backup.timer import DRILL, NIGHTLY


@pytest.mark.parametrize("call", [*NIGHTLY, *DRILL], ids=" ".join)
def test_a_timer_calls_verbs_that_are_there_with_flags_that_they_know(call: tuple[str, ...]) -> None:
    (found,) = (each for each in tasks.namespace.to_contexts() if call[0] in (each.name, *each.aliases))
    assert set(call[1:]) <= set(found.flags)
