"""A line that can't be read: what is wrong, a hint, exit code 2. What Invoke answers by itself stays."""

from __future__ import annotations

import pytest
from invoke.exceptions import Exit, ParseError

import tasks
from autobot_ops.wrong_usage import LIST_HINT, WrongUsage
from tests.inv_in_process import Inv

CASES = [
    ("upp", "unknown verb 'upp'", f"Did you mean 'up'? {LIST_HINT}"),
    ("xyzzy", "unknown verb 'xyzzy'", LIST_HINT),
    ("it's", "unknown verb 'it's'", LIST_HINT),
    ("--help upp", "unknown verb 'upp'", f"Did you mean 'up'? {LIST_HINT}"),
    ("secrets", "'secrets' is a group of verbs", "inv --list secrets lists them."),
    ("--help demo", "'demo' is a group of verbs", "inv --list demo lists them."),
    ("status --json=yes", "'yes' after status is neither a verb nor an argument", LIST_HINT),
    ("up --nonsense", "unknown flag '--nonsense' of up", "inv --help up explains its flags."),
    ("up --no-buidl", "unknown flag '--no-buidl' of up", "Did you mean '--no-build'? inv --help up explains"),
    ("up -q", "unknown flag '-q' of up", "inv --help up explains its flags."),
    (
        "backup --teir critical",
        "unknown flag '--teir' of backup.take",
        "Did you mean '--tier'? inv --help backup.take explains its flags.",
    ),
    (
        "logs redis --tial=3",
        "unknown flag '--tial' of logs",
        "Did you mean '--tail'? inv --help logs explains",
    ),
    (
        "--nonsense",
        "unknown flag '--nonsense'",
        "A verb's flags stand after the verb; inv --help lists those",
    ),
    ("--ecko up", "unknown flag '--ecko'", "Did you mean '--echo'?"),
    ("logs", "logs needs SERVICE", "inv --help logs explains it."),
    ("logs redis --tail", "--tail needs a value", "inv --help logs explains it."),
    (
        "migrate --rollback up",
        "'up' is ambiguous when given after an optional-value flag",
        LIST_HINT,
    ),
]


@pytest.mark.parametrize(("line", "what", "hint"), CASES)
def test_says_what_is_wrong_and_ends_with_two(inv: Inv, line: str, what: str, hint: str) -> None:
    ended = inv(*line.split())
    assert ended.exit_code == 2
    first, second = ended.remarks.splitlines()
    assert first == f"error: {what}"
    assert second.startswith(f"hint: {hint}")
    assert ended.output == ""


def test_is_what_invoke_catches() -> None:
    assert issubclass(WrongUsage, ParseError)
    assert issubclass(WrongUsage, Exit)


@pytest.mark.parametrize("verb", sorted(tasks.namespace.task_names))
def test_every_verb_is_known_by_its_name_and_its_short_one(inv: Inv, verb: str) -> None:
    for name in (verb, *tasks.namespace.task_names[verb]):
        assert f"Did you mean '{name}'?" in inv(f"{name}x").remarks
        assert inv("--help", name).exit_code == 0


def test_lists_and_explains_as_before(inv: Inv) -> None:
    listed = inv("--list")
    assert (listed.exit_code, listed.remarks) == (0, "")
    assert all(f"  {verb}" in listed.output for verb in tasks.namespace.task_names)
    assert "rotate" in inv("--list", "secrets").output
    assert "--no-build" in inv("--help", "up").output
    alone = inv()
    assert (alone.exit_code, alone.remarks) == (0, "")
    assert "Usage: inv" in alone.output


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", "backup.take"),
        ("u", "up"),
        ("up --no", "--no-build"),
        ("backup --teir", "--tier"),
        ("backup --teir x --ti", "--tier"),
        ("--nonsense", "--echo"),
    ],
)
def test_completes_as_before_also_where_the_line_is_wrong(inv: Inv, line: str, offered: str) -> None:
    ended = inv("--complete", "--", "inv", *line.split())
    assert (ended.exit_code, ended.remarks) == (0, "")
    assert offered in ended.output.splitlines()
