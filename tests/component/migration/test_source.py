"""`inv migrate --source`: every key of another server is in its database, and the source is as it was."""

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from autobot_ops.migration.conflicts import digest_of_dump
from autobot_ops.migration.errors import KeysCollide, MigrationInterrupted, ServerLost
from autobot_ops.migration.run_folder import TRANSFERS, all_runs
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.applying import Work, load_into_staging
from autobot_ops.transfer.errors import (
    NotAllBrought,
    StagedDiffers,
)
from autobot_ops.transfer.verifying import verify
from autobot_ops.verbs.transfer_steps import TransferOptions
from tests.component.migration.conftest import StartServer, seed
from tests.component.migration.migrating import ROUTES, misplaced, placed
from tests.component.migration.transferring import (
    DELETING,
    KNOWLEDGE,
    STAGING,
    bring,
    bringing_process,
    reported,
    staged,
    writes,
)
from tests.component.rdb.contents import contents
from tests.component.rdb.data_server import DataServer

STEPS = "autobot_ops.verbs.transfer_steps."


def test_every_key_gets_to_its_database_and_the_source_is_not_written_to(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    before, changes = placed(source), writes(source)
    routed = {key: found for key, found in before.items() if is_routed(key)}
    bring(source, target, state_dir)
    assert placed(target) == routed
    assert misplaced(target) == []
    assert (placed(source), writes(source)) == (before, changes)
    assert staged(target) == 0
    report = reported(state_dir)
    assert report["verified"] is True
    assert report["written"] == "whole"
    assert {each["number"] for each in report["targets"]} >= {0, KNOWLEDGE}


def is_routed(key: bytes) -> bool:
    return ROUTES.section_of(key) is not None


def test_a_second_run_writes_nothing(source: DataServer, target: DataServer, state_dir: Path) -> None:
    bring(source, target, state_dir)
    before = placed(target)
    bring(source, target, state_dir)
    report = reported(state_dir)
    assert (report["loaded"], report["moved"]) == (0, 0)
    assert placed(target) == before


def test_a_dry_run_changes_nothing_and_leaves_nothing(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    bring(source, target, state_dir, TransferOptions(dry_run=True))
    assert writes(target) == 0
    assert list((state_dir / TRANSFERS).iterdir()) == []


def test_brings_another_of_the_sources_databases(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    source.client(3).set("fact:1", "of database 3")
    bring(source, target, state_dir, TransferOptions(number=3, assume_yes=True))
    assert target.command("DBSIZE", number=KNOWLEDGE) == 1
    assert placed(target).keys() == {b"fact:1"}


def test_reads_with_scan_where_the_stream_is_withheld(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    source.command(
        "ACL", "SETUSER", "guest", "on", ">secret", "~*", "+@read", "+@connection", "+time", "+info"
    )
    routed = {key: found for key, found in placed(source).items() if is_routed(key)}
    bring(Endpoint("127.0.0.1", source.port, "guest", "secret"), target, state_dir)
    assert placed(target) == routed
    assert reported(state_dir)["origin"] == "scan"


class Conflict:
    """A key that has another value in its target, one with the same, and one that the source alone has."""

    def __init__(self, source: DataServer, target: DataServer) -> None:
        self.target = target
        source.client().mset({"session:both": "legacy", "session:equal": "same", "session:new": "new"})
        source.client().pexpire("session:both", 900_000)
        target.client(6).mset({"session:both": "present", "session:equal": "same"})
        target.client(6).pexpire("session:both", 500_000)

    @property
    def values(self) -> Any:
        return self.target.client(6).mget("session:both", "session:equal", "session:new")


def test_refuses_conflicts_before_anything_is_written(
    start_server: StartServer, target: DataServer, state_dir: Path
) -> None:
    source = start_server()
    conflict = Conflict(source, target)
    changes = writes(target)
    with pytest.raises(KeysCollide, match="session:both"):
        bring(source, target, state_dir)
    assert writes(target) == changes
    assert conflict.values == [b"present", b"same", None]
    assert list((state_dir / TRANSFERS).iterdir()) == []


def test_skips_conflicts_and_lists_them(
    start_server: StartServer, target: DataServer, state_dir: Path
) -> None:
    source = start_server()
    conflict = Conflict(source, target)
    with pytest.raises(NotAllBrought):
        bring(
            source,
            target,
            state_dir,
            TransferOptions(on_conflict="skip", assume_yes=True, delete_source=True),
        )
    assert conflict.values == [b"present", b"same", b"new"]
    assert [each["key"] for each in reported(state_dir)["left"]] == ["session:both"]
    assert source.client().keys() == [b"session:both"]
    assert staged(target) == 0


@pytest.mark.parametrize("choice", ["replace", "keep-newer"])
def test_replaces_and_keeps_what_gave_way(
    start_server: StartServer, target: DataServer, state_dir: Path, choice: Any
) -> None:
    source = start_server()
    conflict = Conflict(source, target)
    bring(source, target, state_dir, TransferOptions(on_conflict=choice, assume_yes=True))
    assert conflict.values == [b"legacy", b"same", b"new"]
    aside = reported(state_dir)["replaced_are_in"]
    assert target.client(aside).get("session:both") == b"present"


def test_keep_newer_keeps_the_targets_in_doubt(
    start_server: StartServer, target: DataServer, state_dir: Path
) -> None:
    source = start_server()
    conflict = Conflict(source, target)
    source.client().persist("session:both")
    with pytest.raises(NotAllBrought):
        bring(source, target, state_dir, TransferOptions(on_conflict="keep-newer", assume_yes=True))
    assert conflict.values == [b"present", b"same", b"new"]


def test_deletes_from_the_source_what_arrived_and_nothing_else(
    source: DataServer, target: DataServer, state_dir: Path
) -> None:
    before = placed(source)
    source.client().set("nobody claims this", "1")
    bring(source, target, state_dir, DELETING)
    after = placed(source)
    assert after.keys() == {key for key in after if not is_routed(key)}
    assert b"nobody claims this" in after
    assert placed(target) | after == before | after
    # Nothing is left to bring, and what is there stays.
    bring(source, target, state_dir, DELETING)
    assert placed(target) | after == before | after


def test_does_not_delete_a_key_that_was_written_since(
    start_server: StartServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = start_server()
    source.client().mset({"fact:1": "1", "fact:2": "2", "fact:3": "3"})

    def write_meanwhile(*arguments: Any) -> Any:
        source.client().append("fact:1", " and more")
        source.client().pexpire("fact:2", 100_000)
        return verify(*arguments)

    monkeypatch.setattr(STEPS + "verify", write_meanwhile)
    bring(source, target, state_dir, DELETING)
    assert set(source.client().keys()) == {b"fact:1", b"fact:2"}
    assert target.command("DBSIZE", number=KNOWLEDGE) == 3


def test_does_not_delete_what_the_target_lost_before_it_was_verified(
    start_server: StartServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = start_server()
    source.client().mset({"fact:1": "1", "fact:2": "2"})

    def delete_meanwhile(*arguments: Any) -> Any:
        target.client(KNOWLEDGE).delete("fact:1")
        return verify(*arguments)

    monkeypatch.setattr(STEPS + "verify", delete_meanwhile)
    with pytest.raises(NotAllBrought):
        bring(source, target, state_dir, DELETING)
    assert source.client().keys() == [b"fact:1"]


def test_does_not_delete_a_key_that_is_written_while_it_is_compared(
    start_server: StartServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = start_server()
    source.client().mset({"fact:1": "1", "fact:2": "2"})

    def write_meanwhile(key: bytes, *arguments: Any) -> int:
        if key == b"fact:1":
            source.client().append("fact:1", " and more")
        return digest_of_dump(key, *arguments)

    monkeypatch.setattr("autobot_ops.transfer.deleting.digest_of_dump", write_meanwhile)
    bring(source, target, state_dir, DELETING)
    assert source.client().mget("fact:1", "fact:2") == [b"1 and more", None]


def test_brings_nothing_where_staging_was_tampered_with(
    source: DataServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tamper(work: Work, *arguments: Any, **named: Any) -> None:
        load_into_staging(work, *arguments, **named)
        target.client(work.staging).append("fact_id_counter", "7")

    source.client().set("fact_id_counter", "1")
    monkeypatch.setattr(STEPS + "load_into_staging", tamper)
    with pytest.raises(StagedDiffers, match="fact_id_counter"):
        bring(source, target, state_dir)
    assert placed(target) == {}
    assert staged(target) == 0


def test_goes_on_after_ctrl_c(
    source: DataServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routed = {key: found for key, found in placed(source).items() if is_routed(key)}
    asked = iter([*[False] * 1000, *[True] * 10])
    with monkeypatch.context() as patch:
        patch.setattr(STEPS + "stop_request", lambda _: nullcontext(lambda: next(asked)))
        with pytest.raises(MigrationInterrupted) as caught:
            bring(source, target, state_dir)
    assert caught.value.exit_code == 130
    assert placed(target) == {}
    # What was loaded before is the source's no longer, as a value that was cut off in the middle.
    loaded = next(key for key in placed(target, STAGING) if key in routed)
    source.client().set(loaded, "another value since")
    routed[loaded] = contents(source, 0)[loaded]
    bring(source, target, state_dir)
    assert reported(state_dir)["loaded"] < len(routed)
    assert placed(target) == routed
    assert staged(target) == 0


def brought_so_far(target: DataServer) -> int:
    """A key in staging counts once, one in its database twice. One question: the run doesn't wait."""
    counts = target.command("INFO", "keyspace").items()
    return sum(each["keys"] * (1 if int(name[2:]) in STAGING else 2) for name, each in counts)


def test_a_killed_run_goes_on(start_server: StartServer, target: DataServer, tmp_path: Path) -> None:
    source = start_server()
    seed(source, 4000)
    routed = {key: found for key, found in placed(source).items() if is_routed(key)}
    chooser = random.Random(5)
    resumed = 0
    for attempt in range(5):
        state_dir = tmp_path / f"state-{attempt}"
        target.client().flushall()
        process = bringing_process(source, target, state_dir)
        wanted = chooser.randrange(1, 2 * len(routed))
        while process.is_alive() and brought_so_far(target) < wanted:
            pass
        process.kill()
        process.join()
        resumed += staged(target) > 1
        bring(source, target, state_dir)
        assert placed(target) == routed
        assert staged(target) == 0
    assert resumed


def test_a_server_that_goes_away_is_named(
    source: DataServer, target: DataServer, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_arguments: Any, **_named: Any) -> None:
        target.kill()

    monkeypatch.setattr(STEPS + "compare_staging", kill)
    with pytest.raises(ServerLost):
        bring(source, target, state_dir)
    assert len(all_runs(state_dir, TRANSFERS)) == 1
