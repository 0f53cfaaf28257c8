"""Archives of the small stack: taken, looked at, kept in order; and databases brought back from them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.sessions import KEYS, SESSIONS, put_sessions, sessions_of
from tests.component.small_stack.small_project import SERVICE
from tests.inv_in_process import Ended, Inv

TIERS = {"critical", "important", "optional"}


@pytest.fixture
def sessions(stack: Stack, taken: Ended) -> Iterator[Stack]:
    """The stack with the sessions of the archive, and no restore that is open afterwards."""
    put_sessions(stack)
    yield stack
    put_sessions(stack)


def change_sessions(stack: Stack) -> dict[bytes, bytes]:
    with dialer(stack, "operator")(SESSIONS) as client:
        client.delete("session:1")
        client.set("session:9", "nine")
    return sessions_of(stack)


def id_of(taken: Ended, tier: str) -> str:
    return str(next(each["id"] for each in taken.document["archives"] if each["tier"] == tier))


def test_a_dry_run_says_what_each_archive_would_hold_and_takes_none(stack: Stack, inv: Inv) -> None:
    before = inv("backup.list", "--json").document["archives"]
    (planned,) = inv("backup", "--tier", "critical", "--dry-run", "--json").document["archives"]
    assert {each["name"] for each in planned["databases"]} >= {"main", "sessions", "knowledge"}
    assert "sessions" in inv("backup", "--tier", "critical", "--dry-run").output
    assert inv("backup.list", "--json").document["archives"] == before


def test_an_archive_of_each_tier_is_taken_and_verified(taken: Ended) -> None:
    assert taken.exit_code == 0, taken.remarks
    archives = {each["tier"]: each for each in taken.document["archives"]}
    assert archives.keys() == TIERS
    assert archives["critical"]["keys"] >= len(KEYS)
    assert "new backup key was made" in taken.remarks


def test_after_all_tiers_nothing_is_due(taken: Ended, inv: Inv) -> None:
    assert inv("backup", "--due").output == "nothing is due\n"
    assert inv("backup", "--due", "--json").document == {"archives": []}


def test_the_plain_report_names_each_archive_with_its_keys(taken: Ended, inv: Inv) -> None:
    ended = inv("backup", "--database", "prompts")
    assert ended.exit_code == 0, ended.remarks
    assert ": 1 databases, 0 keys, " in ended.output


def test_the_critical_archive_has_the_database_of_postgresql_and_the_volume(taken: Ended, inv: Inv) -> None:
    manifest = inv("backup.show", id_of(taken, "critical"), "--json").document["manifest"]
    assert [part["content"]["database"] for part in manifest["postgres"]] == ["autobot"]
    assert [part["content"]["service"] for part in manifest["volumes"]] == [SERVICE]


def test_every_archive_verifies_and_none_is_to_be_pruned(taken: Ended, inv: Inv) -> None:
    verified = inv("backup.verify", "--all", "--json").document["archives"]
    assert {each["failure"] for each in verified} == {""}
    assert inv("backup.prune", "--json").document["done"] == {}


def test_an_unknown_tier_or_no_choice_takes_nothing(stack: Stack, inv: Inv) -> None:
    ended = inv("backup", "--tier", "crit")
    assert ended.exit_code == 2
    assert "unknown tier 'crit'" in ended.remarks
    assert inv("backup").exit_code == 2


def test_a_restore_brings_the_archive_back_and_undo_what_was_there(
    sessions: Stack, taken: Ended, inv: Inv
) -> None:
    changed = change_sessions(sessions)
    restored = inv("restore", "--database", "sessions", "--yes")
    assert restored.exit_code == 0, restored.remarks
    assert f"'sessions' has {len(KEYS)} keys of {id_of(taken, 'critical')}" in restored.output
    assert sessions_of(sessions) == KEYS
    (open_one,) = inv("restore.list", "--json").document["restores"]
    assert open_one["database"] == "sessions"
    assert "sessions" in inv("restore.list").output
    assert "would put back staging" in inv("--dry", "restore.undo", "sessions").output
    assert sessions_of(sessions) == KEYS
    undone = inv("restore.undo", "sessions", "--yes")
    assert "'sessions' is what it was before" in undone.output
    assert sessions_of(sessions) == changed
    assert inv("restore.list").output == "no restore is open\n"


def test_a_committed_restore_stays(sessions: Stack, inv: Inv) -> None:
    change_sessions(sessions)
    restored = inv("restore", "--database", "sessions", "--fast", "--yes", "--json")
    assert restored.document["restore"]["keys"] == len(KEYS)
    assert "would give up staging" in inv("--dry", "restore.commit", "sessions").output
    refused = inv("restore.commit", "sessions", answer="n")
    assert refused.exit_code == 5
    committed = inv("restore.commit", "sessions", "--yes", "--json")
    assert committed.document["committed"]["database"] == "sessions"
    assert inv("restore.undo", "sessions", "--yes").exit_code != 0
    assert sessions_of(sessions) == KEYS


def test_a_restore_can_be_of_some_keys_and_into_another_database(sessions: Stack, inv: Inv) -> None:
    ended = inv("restore", "--database", "sessions", "--into", "testing", "--match", "session:*", "--yes")
    assert ended.exit_code == 0, ended.remarks
    with dialer(sessions, "operator")(15) as client:
        assert set(client.keys()) == {key for key in KEYS if key.startswith(b"session:")}
    assert inv("restore.undo", "testing", "--yes", "--json").document["undone"]["database"] == "testing"
    with dialer(sessions, "operator")(15) as client:
        assert client.keys() == []


def test_a_dry_run_of_a_restore_shows_the_plan_and_changes_nothing(sessions: Stack, inv: Inv) -> None:
    changed = change_sessions(sessions)
    plan = inv("restore", "--database", "sessions", "--dry-run", "--json").document["plan"]
    assert plan["keys"] == len(KEYS)
    assert "sessions" in inv("restore", "--database", "sessions", "--dry-run").output
    assert sessions_of(sessions) == changed


def test_who_answers_no_keeps_what_is_there(sessions: Stack, inv: Inv) -> None:
    changed = change_sessions(sessions)
    for arguments in (["--database", "sessions"], ["--postgres"], ["--volume", "knowledge"], ["--all"]):
        refused = inv("restore", *arguments, answer="no")
        assert refused.exit_code == 5, arguments
        assert "nothing was done" in refused.remarks
    assert inv("restore", "--database", "sessions").exit_code == 5
    assert sessions_of(sessions) == changed
    assert inv("restore.list").output == "no restore is open\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of --database NAME, --postgres, --volume SERVICE and --all is needed"),
        (["--all", "--postgres"], "one of --database NAME"),
        (["--postgres", "--match", "x*"], "--match, --into and --fast go with --database"),
        (["--all", "--from", "20260101T000000Z-critical"], "--from not with --all"),
        (["--database", "session"], "Did you mean 'sessions'?"),
        (["--database", "sessions", "--into", "nowhere"], "unknown database 'nowhere'"),
        (["--volume", "redis"], "unknown part 'redis'"),
        (["--database", "sessions", "--at", "yesterday"], "yesterday"),
    ],
)
def test_a_restore_that_makes_no_sense_is_refused(
    stack: Stack, inv: Inv, arguments: list[str], words: str
) -> None:
    refused = inv("restore", *arguments, "--yes")
    assert refused.exit_code == 2
    assert words in refused.remarks
