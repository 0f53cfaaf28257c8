"""The demonstration's keys are those of an old installation, and the same every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.routing import make_router
from autobot_ops.demo.legacy_keys import legacy_commands

ROUTER = make_router(load_catalogs(Path(__file__).parents[2]).databases)
NOW = 1_800_000_000_000
WRITES = {"SET", "HSET", "RPUSH", "SADD", "ZADD", "XADD"}


def written_keys(count: int) -> set[str]:
    return {str(command[1]) for command in legacy_commands(count, now=NOW) if command[0] in WRITES}


def test_the_same_number_gives_the_same_commands() -> None:
    assert list(legacy_commands(300, now=NOW)) == list(legacy_commands(300, now=NOW))


def test_there_are_as_many_keys_as_asked_for() -> None:
    assert len(written_keys(5000)) == 5000


def test_every_database_with_legacy_keys_gets_some_and_some_belong_nowhere() -> None:
    owners = Counter(ROUTER.route(key.encode()) for key in written_keys(5000))
    assert set(owners) == {
        "main", "knowledge", "prompts", "agents", "metrics", "logs", "sessions", "workflows", "vectors",
        "models", None,
    }  # fmt: skip
    assert owners[None] > 1


def test_one_key_in_five_expires_later_than_now() -> None:
    expiries = [int(command[2]) for command in legacy_commands(5000, now=NOW) if command[0] == "PEXPIREAT"]
    assert min(expiries) > NOW
    assert 800 < len(expiries) < 1200


def test_the_huge_keys_come_in_pieces() -> None:
    counts: Counter[str] = Counter()
    for command in legacy_commands(0, now=NOW, big=True):
        assert len(command) <= 2 + 2 * 500
        counts[str(command[1])] += (len(command) - 2) // (2 if command[0] in {"HSET", "ZADD"} else 1)
    assert sorted(counts.values()) == [300_000, 300_000, 500_000, 1_000_000]


def test_to_replace_a_key_is_to_delete_it_once_before_it_is_written() -> None:
    plain, replacing = (
        list(legacy_commands(300, now=NOW, big=True, replace=replace)) for replace in (False, True)
    )
    assert [command for command in replacing if command[0] != "UNLINK"] == plain
    deleted = [str(command[1]) for command in replacing if command[0] == "UNLINK"]
    first_written = list(dict.fromkeys(str(command[1]) for command in plain if command[0] in WRITES))
    assert deleted == first_written
    for key in deleted:
        assert next(command[0] for command in replacing if key in command[1:3]) == "UNLINK"
