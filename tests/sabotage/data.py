"""Faults of the tool itself: its sources, or the catalog, are edited while its verbs run, and put back."""

from __future__ import annotations

import shutil

from tests.conftest import ROOT
from tests.integration.live import Stack
from tests.sabotage.model import Act, Sabotage
from tests.sabotage.spoiling import in_turn

IS_UNFINISHED = "            if state.open and same:\n"
NEVER_UNFINISHED = "            if state.open and same and state.planned < 0:\n"


def edit(name: str, before: str, after: str) -> Act:
    """Replace the one place of a file of this checkout where a text stands."""

    def apply(stack: Stack) -> None:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise LookupError(f"{name} has {before!r} {text.count(before)} times")
        path.write_text(text.replace(before, after), encoding="utf-8")

    return apply


def edited(obligation: int, what: str, name: str, before: str, after: str, only: str = "") -> Sabotage:
    """A sabotage that is an edit, mended by the opposite one."""
    return Sabotage((obligation,), what, edit(name, before, after), edit(name, after, before), only=only)


def forget_migrations(stack: Stack) -> None:
    """Forget the run that nobody went on with: the next one would."""
    shutil.rmtree(stack.state_dir / "migrations")


SABOTAGES = (
    edited(
        24,
        "a restore that forgets when keys expire",
        "autobot_ops/restore/loading.py",
        "send(_packed_restore(entry.key, expires_at or 0, body, crc64(body)))",
        "send(_packed_restore(entry.key, 0, body, crc64(body)))",
        only="exact",
    ),
    edited(
        24,
        "a backup that takes the testing database along",
        "config/redis-databases.yaml",
        'key_patterns: ["test:*"]\n    access_patterns: [frequent]\n    tier: testing\n',
        'key_patterns: ["test:*"]\n    access_patterns: [frequent]\n    tier: optional\n',
        only="testing_never",
    ),
    Sabotage(
        (25,),
        "a migration that doesn't go on with the one that was killed",
        edit("autobot_ops/migration/session.py", IS_UNFINISHED, NEVER_UNFINISHED),
        in_turn(edit("autobot_ops/migration/session.py", NEVER_UNFINISHED, IS_UNFINISHED), forget_migrations),
        only="resumes",
    ),
    edited(
        26,
        "an alert on keys that waits for twice as many as it says",
        "autobot_ops/isolation/listing.py",
        '("keys", keys > database.alerts.keys),',
        '("keys", keys > 2 * database.alerts.keys),',
        only="alert_fires",
    ),
)
