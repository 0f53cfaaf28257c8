"""Verbs that only look: config.show, history, migrate.list; and how every verb ends on an error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autobot_ops.journal import open_journal, operation
from autobot_ops.migration.run_folder import new_run
from autobot_ops.settings import Settings
from tests.inv_in_process import Inv
from tests.unit.verbs.conftest import PROJECT

MOMENT = datetime(2026, 11, 23, 4, 18, 20, 123000, tzinfo=UTC)


def have_settings_raise(error: BaseException, patch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    patch.setattr("autobot_ops.settings.resolve_settings", fail)


def test_shows_each_setting_and_where_it_came_from(inv: Inv) -> None:
    rows = {line.split()[0]: line for line in inv("config.show").output.splitlines() if line.strip()}
    assert rows["project"].split()[1:] == [PROJECT, "AUTOBOT_PROJECT"]
    shown = inv("config", "--json").document
    assert shown["project"] == {"value": PROJECT, "from": "AUTOBOT_PROJECT"}
    assert shown["up_timeout"]["from"].startswith("config/stack.yaml:")


def test_a_setting_out_of_range_ends_with_exit_code_2(inv: Inv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOBOT_PORT_OFFSET", "-1")
    ended = inv("config.show", "--json")
    assert ended.exit_code == 2
    assert ended.document["error"]["exit_code"] == 2
    assert "AUTOBOT_PORT_OFFSET" in ended.remarks


def test_a_connection_that_breaks_is_not_taken_for_output_that_nobody_reads(
    inv: Inv, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_settings_raise(BrokenPipeError("of a socket"), monkeypatch)
    ended = inv("config.show")
    assert ended.exit_code == 1
    assert "BrokenPipeError: of a socket" in ended.remarks


def test_a_defect_ends_with_one_line_and_exit_code_1(inv: Inv, monkeypatch: pytest.MonkeyPatch) -> None:
    have_settings_raise(ZeroDivisionError("first line\nsecond line"), monkeypatch)
    ended = inv("config.show")
    assert ended.exit_code == 1
    assert "unexpected ZeroDivisionError: first line\n" in ended.remarks
    assert "second line" not in ended.remarks
    monkeypatch.setenv("AUTOBOT_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        inv("config.show")


def test_ctrl_c_ends_with_exit_code_130(inv: Inv, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autobot_ops.settings.resolve_settings", interrupt)
    assert inv("config.show").exit_code == 130


def test_an_empty_journal_says_so(inv: Inv) -> None:
    ended = inv("history")
    assert (ended.exit_code, ended.output) == (0, "")
    assert "nothing is in the journal" in ended.remarks


def test_the_history_shows_the_newest_first_and_counts_torn_lines(inv: Inv, settings: Settings) -> None:
    journal = open_journal(settings.project_state_dir)
    for verb in ("backup.take", "restore.run"):
        with operation(journal, verb, tier="critical"):
            pass
    with journal.path.open("a") as file:
        file.write('{"torn\n')
    lines = inv("history").output.splitlines()
    assert [line for line in lines if "backup.take" in line or "restore.run" in line] == [
        next(line for line in lines if "restore.run" in line),
        next(line for line in lines if "backup.take" in line),
    ]
    assert "1 lines of" in inv("history").remarks
    (only,) = inv("history", "--verb", "backup", "--json").document["operations"]
    assert (only["verb"], only["outcome"], only["facts"]) == ("backup.take", "done", {"tier": "critical"})
    assert inv("history", "--limit", "0").exit_code == 2


def test_migrations_are_listed_with_how_far_they_are(inv: Inv, settings: Settings) -> None:
    assert inv("migrate.list", "--json").document["migrations"] == []
    run = new_run(settings.project_state_dir, MOMENT)
    run.write("began", server="127.0.0.1:6379", replication_ids=["a"], archive="", keys=200)
    run.write("reserved", plan="plan.moves", until=100, done=50)
    run.close()
    (row,) = inv("migrate.list", "--json").document["migrations"]
    assert row.pop("began_at")
    assert row == {
        "id": "20261123T041820.123Z",
        "source": "127.0.0.1:6379/0",
        "server": "127.0.0.1:6379",
        "keys": 200,
        "state": "unfinished, 25 %",
        "ended_at": "",
        "archives": [],
    }
    run.write("ended", outcome="done")
    run.close()
    (line,) = [each for each in inv("migrate.list").output.splitlines() if run.id in each]
    assert "done" in line
    assert line.rstrip().endswith("none")
