"""A line that Invoke can't read ends as all wrong usage does: what is wrong, a hint, exit code 2.

Invoke parses before any verb of ours runs, has no setting for this, and ends with its own line and exit
code 1. It raises `ParseError` by that name in two of its modules: there the name gets to mean WrongUsage,
which is one, so whatever catches the former (completion does) catches this. An Invoke that does it
differently would end as it does by itself, and tests/unit/verbs/test_wrong_usage.py would say so.
"""

from __future__ import annotations

import re
from typing import ClassVar

from invoke import Collection, program
from invoke.exceptions import Exit, ParseError
from invoke.parser import ParserContext, parser

from autobot_ops.errors import ConfigurationError

LIST_HINT = "inv --list lists the verbs, inv --help VERB explains one."
VERB_FIRST_HINT = "A verb's flags stand after the verb; inv --help lists those that stand before it."

_UNKNOWN = re.compile(r"""No idea what (['"])(?P<word>.*)\1 is!""")
_VALUE_MISSING = re.compile(r"Flag <\w+: (?P<flag>[\w-]+).*> needed value and was not given one!")
_ARGUMENT_MISSING = re.compile(r"'(?P<verb>.+)' did not receive required positional arguments: (?P<names>.+)")


class WrongUsage(Exit, ParseError):
    """An unknown verb or flag, or a missing value.

    Invoke prints a ParseError as it is, and ends an Exit with the code that it carries: this is both.
    """

    verbs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, message: str, context: ParserContext | None = None) -> None:
        error, hint = explain(message, context, self.verbs)
        ParseError.__init__(self, f"error: {error}\nhint: {hint}", context)
        Exit.__init__(self, code=ConfigurationError.exit_code)


def explain_wrong_usage(namespace: Collection) -> None:
    """Have Invoke raise WrongUsage in place of its ParseError, with these verbs as the known ones."""
    names = namespace.task_names
    WrongUsage.verbs = (*names, *(alias for aliases in names.values() for alias in aliases))
    for module in (program, parser):
        vars(module)["ParseError"] = WrongUsage


def explain(message: str, context: ParserContext | None, verbs: tuple[str, ...]) -> tuple[str, str]:
    """What Invoke's message says, and a hint. `context` is the verb that was being read, or Invoke itself."""
    verb = context.name if context else None
    help_hint = f"inv --help {verb} explains it." if verb else LIST_HINT
    if found := _UNKNOWN.fullmatch(message):
        return _explain_unknown(found["word"], context, verbs)
    if found := _VALUE_MISSING.fullmatch(message):
        return f"--{found['flag']} needs a value", help_hint
    if found := _ARGUMENT_MISSING.fullmatch(message):
        names = found["names"].replace("'", "").upper()
        return f"{found['verb']} needs {names}", help_hint
    return message, help_hint


def _explain_unknown(word: str, context: ParserContext | None, verbs: tuple[str, ...]) -> tuple[str, str]:
    # Only here, because it isn't light and `inv --list` loads this module.
    from autobot_ops.validation import did_you_mean

    verb = context.name if context else None
    if word.startswith("-"):
        flags = context.flag_names() if context else ()
        how = f"inv --help {verb} explains its flags." if verb else VERB_FIRST_HINT
        return f"unknown flag '{word}'" + (f" of {verb}" if verb else ""), _joined(
            did_you_mean(word, flags), how
        )
    if any(known.startswith(f"{word}.") for known in verbs):
        return f"'{word}' is a group of verbs", f"inv --list {word} lists them."
    what = f"'{word}' after {verb} is neither a verb nor an argument" if verb else f"unknown verb '{word}'"
    return what, _joined(did_you_mean(word, verbs), LIST_HINT)


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
