"""Verbs that are journalled: which runs, which of their arguments, how they ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from invoke import Config, Context, Exit, Task, task

import tasks
from autobot_ops import command
from autobot_ops.command import RECORDED_AS, current_journal, recorded, verb
from autobot_ops.errors import RefusedForSafety
from autobot_ops.history import PastOperation, read_history


@task
@verb
@recorded("sample.verb", "name", "volumes")
def sample(context: Context, name: str, volumes: bool = False, dry_run: bool = False) -> str:
    """A verb."""
    if name == "refused":
        raise RefusedForSafety("not confirmed", hint="Answer y.")
    return name


@pytest.fixture(autouse=True)
def _own_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ROOT", project)


def history() -> tuple[PastOperation, ...]:
    return read_history(current_journal().path, is_running=lambda _: False, limit=9).operations


def test_a_run_is_recorded_with_the_arguments_that_matter() -> None:
    assert sample(Context(), name="first", volumes=True, dry_run=False) == "first"
    (past,) = history()
    assert (past.verb, past.outcome, past.facts) == (
        "sample.verb",
        "done",
        {"name": "first", "volumes": True},
    )


def test_a_run_that_ends_with_an_error_is_recorded_as_failed() -> None:
    with pytest.raises(Exit) as ended:
        sample(Context(), name="refused")
    assert ended.value.code == RefusedForSafety.exit_code
    (past,) = history()
    assert (past.outcome, past.message, past.exit_code) == ("failed", "not confirmed", 5)


def test_a_dry_run_is_not_recorded() -> None:
    sample(Context(), name="first", dry_run=True)
    sample(Context(Config(overrides={"run": {"dry": True}})), name="first")
    assert history() == ()
    assert not current_journal().path.exists()


def test_recording_leaves_flags_and_help_as_they_are() -> None:
    assert isinstance(sample, Task)
    assert [argument.name for argument in sample.get_arguments()] == ["name", "volumes", "dry_run"]
    assert sample.__doc__ == "A verb."


@pytest.mark.parametrize("name", ["up", "down", "restart", "secrets.rotate", "database.allocate"])
def test_verbs_that_change_a_stack_are_recorded_by_their_name(name: str) -> None:
    assert vars(tasks.namespace[name].body)[RECORDED_AS] == name
