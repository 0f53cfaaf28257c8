"""The journal: what is written, and what reading makes of it, whatever a crash left."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops import history
from autobot_ops.errors import PartlyDone, RefusedForSafety
from autobot_ops.history import InvalidLimit, parse_journal, read_history
from autobot_ops.journal import LONGEST_TEXT, Journal, open_journal, operation
from tests.unit.full_disk import no_file_beyond


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    def problem(text: str) -> None:
        raise AssertionError(text)

    return open_journal(tmp_path / "state", problem)


def read(journal: Journal, limit: int = 100, verb: str | None = None) -> list[history.PastOperation]:
    found = read_history(journal.path, is_running=lambda _: False, limit=limit, verb=verb)
    return list(found.operations)


def test_an_operation_tells_who_did_what_and_how_it_ended(journal: Journal) -> None:
    with operation(journal, "backup", tiers=["critical"], database=None, all=False) as running:
        running.numbers["keys"] = 12
    (past,) = read(journal)
    assert (past.verb, past.outcome, past.exit_code) == ("backup", "done", 0)
    assert past.facts == {"tiers": ["critical"]}
    assert past.numbers == {"keys": 12}
    assert past.user
    assert past.host
    assert past.seconds is not None
    assert past.cells[-1] == "tiers=critical  keys=12"


def test_the_first_line_is_on_disk_before_the_work_begins(journal: Journal) -> None:
    with operation(journal, "backup"):
        (past,) = read(journal)
        assert past.outcome == "unfinished"


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code", "message"),
    [
        (RefusedForSafety("not confirmed", hint="Answer y."), "failed", 5, "not confirmed"),
        (PartlyDone("half of it"), "failed", 6, "half of it"),
        (KeyError("x"), "failed", 1, "unexpected KeyError: 'x'"),
        (KeyboardInterrupt(), "interrupted", 130, ""),
    ],
)
def test_an_operation_that_fails_says_so_and_the_error_goes_on(
    journal: Journal, error: BaseException, outcome: str, exit_code: int, message: str
) -> None:
    with pytest.raises(type(error)), operation(journal, "restore"):
        raise error
    (past,) = read(journal)
    assert (past.outcome, past.exit_code, past.message) == (outcome, exit_code, message)


def test_one_whose_process_still_lives_is_running(journal: Journal) -> None:
    with operation(journal, "up"):
        found = read_history(journal.path, is_running=lambda _: True, limit=1)
        assert found.operations[0].outcome == "running"
    found = read_history(journal.path, is_running=lambda _: True, limit=1)
    assert found.operations[0].outcome == "done"


def test_only_its_owner_may_read_it(journal: Journal) -> None:
    with operation(journal, "up"):
        pass
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_passwords_in_addresses_stay_out(journal: Journal) -> None:
    with (
        pytest.raises(RefusedForSafety),
        operation(journal, "x", urls=["redis://user:canary@host/0"], place={"at": "s3://k:canary@b"}),
    ):
        raise RefusedForSafety("postgresql://role:canary@host doesn't answer")
    text = journal.path.read_text()
    assert "canary" not in text
    assert "host/0" in text


def test_a_long_message_is_cut(journal: Journal) -> None:
    with pytest.raises(PartlyDone), operation(journal, "x"):
        raise PartlyDone("m" * 10 * LONGEST_TEXT)
    assert len(read(journal)[0].message) == LONGEST_TEXT + 1


def test_the_newest_come_first_and_a_verb_stands_for_its_group(journal: Journal) -> None:
    for verb in ("up", "secrets.rotate", "backup", "backup.prune", "backups"):
        with operation(journal, verb):
            pass
    assert [each.verb for each in read(journal, limit=2)] == ["backups", "backup.prune"]
    assert [each.verb for each in read(journal, verb="backup")] == ["backup.prune", "backup"]
    assert [each.verb for each in read(journal, verb="backup", limit=1)] == ["backup.prune"]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    found = read_history(tmp_path / "journal.jsonl", is_running=lambda _: False, limit=5)
    assert found.operations == ()


def test_refuses_a_limit_of_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidLimit):
        read_history(tmp_path / "journal.jsonl", is_running=lambda _: False, limit=0)


def test_reading_is_bounded_and_begins_with_a_whole_line(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        with operation(journal, f"verb.{number}"):
            pass
    monkeypatch.setattr(history, "READ_BYTES", 2000)
    found = read_history(journal.path, is_running=lambda _: False, limit=100)
    assert found.operations[0].verb == "verb.49"
    assert 1 < len(found.operations) < 10
    assert found.unreadable_lines == 0


def test_a_journal_that_cannot_be_written_is_told_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    told: list[str] = []
    with operation(open_journal(tmp_path / "state", told.append), "down"):
        pass
    assert len(told) == 2
    assert "can't be written" in told[0]


def test_a_line_torn_anywhere_costs_that_line_alone(journal: Journal) -> None:
    with operation(journal, "first"):
        pass
    whole = journal.path.read_bytes()
    last_line = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(last_line)):
        journal.path.write_bytes(whole[:-cut])
        torn = read_history(journal.path, is_running=lambda _: False, limit=9)
        with operation(journal, "second"):
            pass
        second, first = read(journal)
        # Without its line end alone, the line still says everything.
        assert (first.verb, first.outcome) == ("first", "done" if cut == 1 else "unfinished")
        assert (second.verb, second.outcome) == ("second", "done")
        assert torn.operations[0].outcome == first.outcome


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.from_type(type(None)).map(lambda _: b"null")), max_size=8)
)
def test_no_garbage_stops_reading(garbage: list[bytes]) -> None:
    began = {"event": "began", "id": "1", "at": "t", "verb": "up", "user": "u", "host": "h", "process": ""}
    good = json.dumps({**began, "facts": {}}).encode()
    lines = [line for each in garbage for line in each.split(b"\n")]
    operations, unreadable = parse_journal([*lines, good])
    assert [each.verb for each in operations] == ["up"]
    assert unreadable == len([line for line in lines if line])


def test_moments_are_in_utc_to_the_millisecond(journal: Journal) -> None:
    with operation(journal, "backup"):
        pass
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
        age = datetime.now(UTC) - datetime.fromisoformat(line["at"])
        assert timedelta(0) <= age + timedelta(milliseconds=1) < timedelta(minutes=5)


def test_a_fact_of_any_kind_is_written(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "state" / "of" / "nobody")
    journal.append({"path": tmp_path})
    assert json.loads(journal.path.read_text()) == {"path": str(tmp_path)}


def test_an_address_loses_its_password_and_nothing_else(journal: Journal) -> None:
    with operation(journal, "migrate.run", source="redis://user:secret@host:1/0 and more"):
        pass
    assert read(journal)[0].facts == {"source": "redis://…@host:1/0 and more"}


@pytest.mark.parametrize("size", [LONGEST_TEXT, LONGEST_TEXT + 1])
def test_only_what_is_too_long_is_shortened(journal: Journal, size: int) -> None:
    with operation(journal, "x", text="y" * size):
        pass
    text = read(journal)[0].facts["text"]
    assert text == "y" * LONGEST_TEXT + "…" * (size > LONGEST_TEXT)


def test_whole_lines_follow_each_other_without_a_gap(journal: Journal) -> None:
    journal.append({"a": 1})
    journal.append({"b": 2})
    assert journal.path.read_bytes() == b'{"a": 1}\n{"b": 2}\n'


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    said: list[str] = []
    journal = open_journal(tmp_path, said.append)
    journal.append({"a": 1})
    with no_file_beyond(20):
        journal.append({"b": "x" * 100})
    assert journal.path.read_bytes() == b'{"a": 1}\n'
    assert said == [f"the journal {journal.path} can't be written: {os.strerror(errno.ENOSPC)}"]


def test_a_link_in_the_journals_place_is_not_followed(tmp_path: Path) -> None:
    said: list[str] = []
    journal = open_journal(tmp_path, said.append)
    (tmp_path / "elsewhere").write_text("")
    journal.path.symlink_to(tmp_path / "elsewhere")
    journal.append({"a": 1})
    assert (tmp_path / "elsewhere").read_text() == ""
    assert len(said) == 1
