"""What the bucket lacks: of each tier whatever is newer than its newest there."""

from __future__ import annotations

from datetime import timedelta

from autobot_ops.backup.manifest import archive_id
from autobot_ops.stack.backup import missing_copies
from tests.unit.backup.manifests import TAKEN_AT

DAYS = [archive_id(TAKEN_AT + timedelta(days=day), "critical") for day in range(4)]
OTHER = archive_id(TAKEN_AT, "optional")


def test_an_empty_bucket_lacks_everything() -> None:
    assert missing_copies([*DAYS, OTHER], []) == [*DAYS, OTHER]


def test_what_failed_to_be_copied_is_made_up_for() -> None:
    assert missing_copies([*DAYS, OTHER], [DAYS[0], DAYS[1]]) == [DAYS[2], DAYS[3], OTHER]


def test_what_was_pruned_there_is_not_copied_again() -> None:
    assert missing_copies(DAYS, [DAYS[3]]) == []
