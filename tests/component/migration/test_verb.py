"""`inv migrate` and `inv migrate.list` as people run them: options, exit codes, files, what is said."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.migration.conftest import StartServer, seed
from tests.component.migration.migrating import misplaced, placed
from tests.component.migration.verb import INV, Verbs, url_of
from tests.component.rdb.data_server import DataServer
from tests.component.redis_process import REPOSITORY


@pytest.fixture
def verbs(tmp_path: Path) -> Iterator[Verbs]:
    found = Verbs(tmp_path / "verbs")
    yield found
    found.stop()


def test_a_saved_plan_is_applied_behind_a_safety_archive(
    server: DataServer, verbs: Verbs, tmp_path: Path
) -> None:
    before, url, plan = placed(server), url_of(server), str(tmp_path / "plan")
    assert verbs.run("migrate", "--url", url, "--dry-run", "--plan-file", plan).code == 0
    applied = verbs.run("migrate", "--url", url, "--plan-file", plan, "--yes", "--json")
    assert applied.code == 0, applied.remarks
    assert len(applied.document["archive"].split()) == 3
    assert placed(server) == before
    assert misplaced(server) == []
    other = verbs.run(
        "migrate", "--url", url, "--plan-file", plan, "--route", "experiment/*=testing", "--yes"
    )
    assert other.code == 5
    assert "other routes" in other.remarks


def test_a_plan_expects_to_be_held_back_by_a_rate(server: DataServer, verbs: Verbs) -> None:
    plan = verbs.run("migrate", "--url", url_of(server), "--dry-run", "--max-rate", "10")
    document = verbs.run("migrate", "--url", url_of(server), "--dry-run", "--json").document
    seconds = sum(section["keys"] for section in document["sections"]) / 10
    assert seconds > 200
    told = plan.output.split("verifying ")[1].split(" s more with --max-rate 10\n")[0]
    assert float(told) == pytest.approx(seconds, abs=2)


def test_a_saved_plan_goes_on_with_the_same_command_and_with_no_other(
    server: DataServer, verbs: Verbs, tmp_path: Path
) -> None:
    url, plan, later = url_of(server), str(tmp_path / "plan"), str(tmp_path / "later")
    same = ("migrate", "--url", url, "--plan-file", plan, "--no-backup", "--yes")
    for path in (plan, later):
        verbs.run("migrate", "--url", url, "--dry-run", "--plan-file", path)
    slowly = verbs.begin(*same, "--max-rate", "1000")
    slowly.until(lambda: bool(server.command("DBSIZE") < 2700))
    slowly.interrupt()
    assert slowly.ended().code == 130
    for arguments in (("--dry-run",), ("--yes",)):
        refused = verbs.run("migrate", "--url", url, "--plan-file", later, *arguments)
        assert refused.code == 5
        assert "is unfinished" in refused.remarks
    assert verbs.run(*same).code == 0
    assert misplaced(server) == []


def test_a_rollback_without_an_id_takes_the_newest_back_and_a_dry_one_none(
    server: DataServer, verbs: Verbs
) -> None:
    before, url = placed(server, range(1)), url_of(server)
    assert verbs.run("migrate", "--url", url, "--no-backup", "--yes").code == 0
    moved = server.command("DBSIZE")
    dry = verbs.run("migrate", "--url", url, "--rollback", "--dry-run", "--yes", "--json")
    assert dry.document["keys"] == 3000 - moved
    assert server.command("DBSIZE") == moved
    back = verbs.run("migrate", "--rollback", "--url", url, "--yes")
    assert back.code == 0, back.remarks
    assert placed(server, range(1)) == before
    (past,) = verbs.run("history", "--verb", "migrate.rollback", "--json").document["operations"]
    assert past["numbers"]["back"] == 3000 - moved


def test_lists_runs_inside_a_server_and_from_another(start_server: StartServer, verbs: Verbs) -> None:
    inside, target = start_server(keys=300), start_server("--databases", "32")
    assert verbs.run("migrate.list").output == "nothing was migrated yet\n"
    assert verbs.run("migrate", "--url", url_of(inside), "--yes").code == 0
    seed(inside, 300)
    brought = verbs.run("migrate", "--url", url_of(target), "--source", url_of(inside), "--yes", "--json")
    assert brought.code == 0, brought.remarks
    first, second = verbs.run("migrate.list", "--json").document["migrations"]
    address, other = f"127.0.0.1:{inside.port}", f"127.0.0.1:{target.port}"
    assert (first["source"], first["server"], first["state"]) == (f"{address}/0", address, "done")
    assert len(first["archives"]) == 3
    assert (second["source"], second["server"], second["state"]) == (f"{address}/0", other, "done")
    assert second["id"] == brought.document["id"]
    assert second["keys"] > 200
    assert second["began_at"] < second["ended_at"]
    table = verbs.run("migrate.list").output
    assert table.index(first["id"]) < table.index(second["id"])
    refused = verbs.run("migrate", "--url", url_of(target), "--rollback", second["id"], "--yes")
    assert refused.code == 5
    assert "from another server" in refused.remarks


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--delete-source",), "--delete-source needs --source"),
        (("--source-db", "3"), "--source-db needs --source"),
        (("--max-rate=-5",), "--max-rate -5 is less than 0"),
        (("--on-conflict", "maybe"), "unknown choice 'maybe'"),
        (("--route", "x:*=nowhere"), "unknown database 'nowhere'"),
        (("--dry-run", "--plan-file", "/nowhere/plan"), "can't save the plan as /nowhere/plan"),
        (("--plan-file", "/nowhere/plan"), "can't read the plan /nowhere/plan"),
        (("--source", "SAME", "--source-db", "99"), "has no database 99"),
        (("--rollback", "20200101T000000.000Z"), "no migration is called"),
    ],
)
def test_refuses_a_wrong_argument_in_one_line_and_changes_nothing(
    server: DataServer, verbs: Verbs, arguments: tuple[str, ...], said: str
) -> None:
    url = url_of(server)
    given = [url if each == "SAME" else each for each in arguments]
    ended = verbs.run("migrate", "--url", url, "--yes", *given)
    assert ended.code == 2
    errors = [line for line in ended.remarks.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in ended.remarks
    assert server.command("DBSIZE") == 3000


def test_says_rate_time_left_and_what_others_wait_on_a_terminal_only(
    server: DataServer, verbs: Verbs
) -> None:
    arguments = ("migrate", "--url", url_of(server), "--no-backup", "--yes", "--max-rate", "1500")
    on_a_terminal = said_on_a_terminal(verbs, *arguments)
    for part in ("keys/s", "others wait", "0:00:0", " of "):
        assert part in on_a_terminal
    assert verbs.run("migrate", "--url", url_of(server), "--rollback", "--yes").code == 0
    on_a_pipe = verbs.run(*arguments)
    assert on_a_pipe.code == 0
    assert on_a_pipe.remarks == ""


def said_on_a_terminal(verbs: Verbs, *arguments: str) -> str:
    """What a command writes to standard error, which is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**verbs.environment, "TERM": "xterm", "COLUMNS": "160"}
    process = subprocess.Popen(
        [INV, *arguments], cwd=REPOSITORY, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed: how a terminal ends
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(60) == 0, said
    return said.decode("utf-8", "replace")
