"""A project that was never started: verbs say what they would do, or what is missing, and make nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.settings import load_settings
from tests.component.small_stack.conftest import Project, Started
from tests.component.small_stack.small_project import IMAGES, SERVICE, SERVICES
from tests.inv_in_process import call_inv


def files_of(project: Project) -> set[str]:
    return {str(path.relative_to(project.folder)) for path in project.folder.rglob("*") if path.is_file()}


def test_images_have_the_tags_of_the_whole_project(unstarted: Project, started: Started) -> None:
    """What differs in the copy goes into no image: the catalog is mounted."""
    images = {row["target"]: row for row in call_inv("build", "--explain", "--json").document["images"]}
    assert {images[name]["action"] for name in IMAGES} == {"cached"}


def test_a_dry_run_names_every_step_and_takes_none(unstarted: Project) -> None:
    before = files_of(unstarted)
    planned = call_inv("up", "--dry-run", "--json").document
    assert planned["project"] == unstarted.variables["AUTOBOT_PROJECT"]
    created = [step["target"] for step in planned["steps"] if step["action"] == "create"]
    assert set(created) == set(SERVICES)
    assert created[-1] == SERVICE
    lines = call_inv("up", "--dry-run").output.splitlines()
    assert f"create {SERVICE}: it isn't there" in lines
    assert "make secret redis_ca: it is missing" in lines
    assert files_of(unstarted) == before


def test_without_images_and_without_building_nothing_is_made(
    unstarted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOBOT_KNOWLEDGE_IMAGE", "autobot/knowledge-agent:never-built")
    assert "build image knowledge: it is missing" in call_inv("up", "--dry-run").output
    refused = call_inv("up", "--no-build")
    assert refused.exit_code == 2
    assert "images are missing: knowledge" in refused.remarks
    assert not load_settings(unstarted.folder, unstarted.variables).secrets_dir.exists()


def test_a_port_of_another_stack_is_named_before_anything_starts(
    unstarted: Project, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOBOT_PORT_OFFSET", started.project.variables["AUTOBOT_PORT_OFFSET"])
    refused = call_inv("up")
    assert refused.exit_code == 4
    other = f"{started.project.variables['AUTOBOT_PROJECT']}-{SERVICE}"
    assert f"({SERVICE}) is taken by container {other}" in refused.remarks
    assert unstarted.stack.observe() == {}


def test_what_looks_says_that_nothing_is_there(unstarted: Project) -> None:
    rows = call_inv("status", "--json").document["services"]
    assert [(row["service"], row["health"]) for row in rows] == [(name, "missing") for name in SERVICES]
    assert call_inv("status").output.count("inv up starts it") == len(SERVICES)
    down = call_inv("down")
    assert (down.exit_code, down.output) == (0, "")
    assert f"nothing of {unstarted.variables['AUTOBOT_PROJECT']} is there" in down.remarks
    assert call_inv("history").remarks.count("down") == 0
    assert call_inv("backup.list").remarks == "there are no archives\n"


def test_an_agent_that_the_catalog_does_not_have_is_unknown(unstarted: Project) -> None:
    refused = call_inv("logs", "chat")
    assert refused.exit_code == 2
    assert "unknown service 'chat'" in refused.remarks
    assert call_inv("build", "--agent", "nobody", "--explain").exit_code == 2


def test_everything_for_plain_compose_is_made_once(unstarted: Project) -> None:
    assert call_inv("config.check").exit_code == 0
    made = call_inv("config.init").output
    assert "write .env: it is missing" in made
    assert "make secret postgres_knowledge_password: it is missing" in made
    assert call_inv("config.init").output == "everything is there\n"
    assert call_inv("config.check").exit_code == 0


def test_what_has_drifted_from_the_catalogs_is_named_with_its_line(unstarted: Project) -> None:
    call_inv("config.init")
    own = unstarted.folder / "docker/env/redis.env"
    own.write_text(own.read_text().replace("REDIS_DB_SESSIONS=6", "REDIS_DB_SESSIONS=7"))
    drifted = call_inv("config.check", "--json")
    assert drifted.exit_code == 2
    (problem,) = (each for one in drifted.document["comparisons"] for each in one["problems"])
    assert problem["place"].startswith("docker/env/redis.env:")
    shown = call_inv("config.check")
    assert "1 problem(s)" in shown.output
    assert "Set REDIS_DB_SESSIONS=6." in shown.output


def test_a_setting_is_shown_with_where_it_comes_from(unstarted: Project) -> None:
    shown = call_inv("config", "--json").document
    assert shown["project"] == {"value": unstarted.variables["AUTOBOT_PROJECT"], "from": "AUTOBOT_PROJECT"}
    assert shown["up_timeout"]["from"].startswith("config/stack.yaml:")


def test_a_new_database_waits_for_the_next_up(unstarted: Project) -> None:
    done = call_inv("database.allocate", "drafts", "--grant", "knowledge=read-write")
    assert done.exit_code == 0, done.remarks
    assert "changed" in done.output
    assert done.remarks == "the stack is not up: the next inv up has the new database\n"
    assert "drafts" in unstarted.stack.catalogs.databases
    assert call_inv("config.check").exit_code == 0


def replace_in(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_a_container_of_somebody_else_with_the_same_name_is_told(
    unstarted: Project, started: Started
) -> None:
    other = f"{started.project.variables['AUTOBOT_PROJECT']}-redis"
    replace_in(unstarted.folder / "compose/base.yml", "${AUTOBOT_PROJECT:-autobot}-redis", other)
    failed = call_inv("up", "--json")
    assert failed.exit_code == 2, failed.remarks
    assert failed.document["error"]["message"] == f"redis failed: another container is called {other}"
    assert f"docker rm {other}" in failed.document["error"]["hint"]
    assert "the engine says:" in failed.remarks
    assert started.project.stack.observe()["redis"].is_well


def test_what_compose_refuses_is_told_in_its_words(unstarted: Project) -> None:
    replace_in(unstarted.folder / "compose/base.yml", "pids_limit: 64", "pids_limit: many")
    refused = call_inv("up")
    assert refused.exit_code == 2
    assert "Compose refuses its files: " in refused.remarks
    assert "pids_limit" in refused.remarks
