"""Flags that take a number: anything else ends in words and exit code 2, never in a traceback."""

from __future__ import annotations

import pytest

import tasks
from tests.inv_in_process import Inv

FLAGS = sorted(
    (name, f"--{flag.names[0]}")
    for name, task in ((name, tasks.namespace[name]) for name in tasks.namespace.task_names)
    for flag in task.get_arguments(ignore_unknown_help=True)
    if isinstance(flag.default, int | float) and not isinstance(flag.default, bool)
)


def positionals(verb: str) -> list[str]:
    """A word for each argument that the verb can't do without."""
    flags = tasks.namespace[verb].get_arguments(ignore_unknown_help=True)
    return ["redis" for flag in flags if flag.positional and flag.kind is not list]


def test_the_verbs_with_numbers_are_known() -> None:
    assert {("migrate.run", "--max-rate"), ("logs", "--tail"), ("secrets.rotate", "--overlap")} < set(FLAGS)


@pytest.mark.parametrize(("verb", "flag"), FLAGS)
@pytest.mark.parametrize("text", ["x", "", "1e", "nan"])
def test_refuses_text_that_is_no_number(inv: Inv, verb: str, flag: str, text: str) -> None:
    ended = inv(verb, *positionals(verb), f"{flag}={text}")
    assert ended.exit_code == 2
    error, hint = ended.remarks.splitlines()
    assert error.startswith(f"error: {flag} '{text}' is not a ")
    assert hint.startswith("hint: Give a ")
    assert ended.output == ""


@pytest.mark.parametrize(("verb", "flag"), FLAGS)
@pytest.mark.parametrize("number", ["-1", "-1000"])
def test_refuses_a_number_below_zero(inv: Inv, verb: str, flag: str, number: str) -> None:
    ended = inv(verb, *positionals(verb), flag, number)
    assert ended.exit_code == 2
    error, hint = ended.remarks.splitlines()
    assert error == f"error: {flag} {number} is less than 0"
    assert hint.startswith("hint: Give 0 or more, or leave it out for ")
    assert ended.output == ""


def test_refuses_a_fraction_below_zero(inv: Inv) -> None:
    assert "--overlap -0.5 is less than 0" in inv("secrets.rotate", "all", "--overlap=-0.5").remarks


@pytest.mark.parametrize("arguments", [["--json", "--max-rate", "x"], ["--max-rate=x", "--json"]])
def test_says_so_in_json_as_well(inv: Inv, arguments: list[str]) -> None:
    ended = inv("migrate", *arguments)
    assert ended.exit_code == 2
    assert ended.document["error"] == {
        "message": "--max-rate 'x' is not a whole number",
        "hint": "Give a whole number, or leave it out for 0.",
        "exit_code": 2,
    }


def test_takes_a_number(inv: Inv) -> None:
    assert inv("history", "--limit", "3").exit_code == 0
    assert "would write 0 keys" in inv("demo.seed", "--keys=0", "--dry-run").output
    assert "would write 12 keys" in inv("demo.seed", "--keys=12", "--dry-run").output


def test_help_still_says_that_it_is_a_number(inv: Inv) -> None:
    assert "--max-rate=INT" in inv("--help", "migrate").output
