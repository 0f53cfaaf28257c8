"""What every verb at the front door shares: our errors become Invoke's clean ends.

Nothing heavy is imported here, because `inv --list` loads it.
"""

from __future__ import annotations

import functools
import inspect
import json as json_format
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import invoke
from invoke import Argument, Context
from invoke.exceptions import Exit

from autobot_ops.errors import ConfigurationError, Interrupted, OpsError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: paths start here, wherever `inv` was called."""

RECORDED_AS = "recorded_as"
"""Attribute of a task that is journalled: its name there."""

if TYPE_CHECKING:
    from autobot_ops.journal import Journal
    from autobot_ops.stack.stack import Stack

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class NotANumber(ConfigurationError):
    """A flag that takes a number was given something else."""


class NumberTooSmall(ConfigurationError):
    """A flag that takes a number was given one below 0."""


class _NumberFlag(Argument):
    """Keeps text that is no number, for `verb` to refuse: here it would end in a traceback."""

    def set_value(self, value: Any, cast: bool = True) -> None:
        """The number, or the text as it was given."""
        try:
            super().set_value(value, cast)
        except ValueError:
            super().set_value(value, cast=False)


class _Verb(invoke.Task[Callable[..., Any]]):
    """A task whose flags with numbers take any text, and whose short flags are all letters."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """What a flag is made of.

        Invoke takes the first free character for the short flag; a dash would be one without a name.
        """
        return super().arg_opts(name, default, taken_names | {"-"})

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Its flags, as Invoke makes them of the function's signature."""
        # Invoke takes each text out of `help` as it uses it: asked twice, it would tell none.
        texts = dict(self.help)
        flags = super().get_arguments(ignore_unknown_help)
        self.help = texts
        return [
            _NumberFlag(
                names=flag.names,
                kind=flag.kind,
                default=flag.default,
                help=flag.help,
                positional=flag.positional,
                optional=flag.optional,
                incrementable=flag.incrementable,
                attr_name=flag.attr_name,
            )
            if flag.kind in (int, float)
            else flag
            for flag in flags
        ]


task = functools.partial(invoke.task, klass=_Verb)
"""Invoke's decorator, for verbs."""


def refuse_wrong_numbers(signature: inspect.Signature, given: Mapping[str, object]) -> None:
    """Raise NotANumber or NumberTooSmall for the first wrong one of the arguments whose default is a number.

    They count or measure something, so none of them is below 0. What else one can't be, its verb knows.
    """
    for name, parameter in signature.parameters.items():
        default, value = parameter.default, given.get(name)
        if type(default) not in (int, float):
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
            kind = "a whole number" if isinstance(default, int) else "a number"
            raise NotANumber(
                f"{flag} '{value}' is not {kind}", hint=f"Give {kind}, or leave it out for {default:g}."
            )
        if isinstance(value, int | float) and value < 0:
            raise NumberTooSmall(
                f"{flag} {value:g} is less than 0", hint=f"Give 0 or more, or leave it out for {default:g}."
            )


def verb(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Wrap a task: an OpsError ends it with `error:` and `hint:` lines and its exit code.

    With `--json` the error is also the document on standard output. A defect of ours ends with
    exit code 1 and one line too; AUTOBOT_DEBUG=1 shows its traceback.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        as_json = bool(kwargs.get("json"))
        try:
            refuse_wrong_numbers(signature, kwargs)
            return function(*args, **kwargs)
        except OpsError as error:
            raise _exit(error.message, error.hint, error.exit_code, as_json=as_json) from error
        except KeyboardInterrupt as error:
            raise _exit(
                "interrupted", Interrupted.go_on_hint, Interrupted.exit_code, as_json=as_json
            ) from error
        except Exit:
            raise
        except Exception as error:
            if os.environ.get("AUTOBOT_DEBUG"):
                raise
            what = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
            hint = "This is a defect of the tool; AUTOBOT_DEBUG=1 shows where it happened."
            raise _exit(what, hint, OpsError.exit_code, as_json=as_json) from error

    return wrapped


def recorded(name: str, *facts: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Have a task's runs in the journal: who, when, how it ended, and these of its arguments.

    It stands below `@verb`. Dry runs aren't recorded. A task that knows numbers as well (keys, bytes) uses
    `journal.operation` itself.
    """

    def wrap(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @functools.wraps(function)
        def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            context = args[0]
            if kwargs.get("dry_run") or (isinstance(context, Context) and context.config.run.dry):
                return function(*args, **kwargs)
            from autobot_ops.journal import operation

            with operation(current_journal(), name, **{fact: kwargs.get(fact) for fact in facts}):
                return function(*args, **kwargs)

        vars(wrapped)[RECORDED_AS] = name
        return wrapped

    return wrap


def current_journal() -> Journal:
    """The journal of the stack that the configuration and the environment describe."""
    from autobot_ops import frontend
    from autobot_ops.journal import open_journal
    from autobot_ops.settings import load_settings

    return open_journal(load_settings(ROOT, os.environ).project_state_dir, frontend.warn)


def current_stack() -> Stack:
    """The stack that the configuration and the environment describe."""
    from autobot_ops.settings import load_settings
    from autobot_ops.stack.stack import open_stack

    return open_stack(ROOT, load_settings(ROOT, os.environ))


def _exit(message: str, hint: str, exit_code: int, *, as_json: bool) -> Exit:
    frontend = sys.modules.get("autobot_ops.frontend")
    if as_json and not (frontend and frontend.emitted_json):
        document = {"error": {"message": message, "hint": hint, "exit_code": exit_code}}
        sys.stdout.write(json_format.dumps(document) + "\n")
    return Exit(f"error: {message}" + (f"\nhint: {hint}" if hint else ""), exit_code)
