"""What every verb at the front door shares: our errors become Invoke's clean ends.

Nothing heavy is imported here, because `inv --list` loads it.
"""

from __future__ import annotations

import functools
import json as json_format
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from invoke import Context
from invoke.exceptions import Exit

from autobot_ops.errors import Interrupted, OpsError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: paths start here, wherever `inv` was called."""

RECORDED_AS = "recorded_as"
"""Attribute of a task that is journalled: its name there."""

if TYPE_CHECKING:
    from autobot_ops.journal import Journal
    from autobot_ops.stack.stack import Stack

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def verb(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Wrap a task: an OpsError ends it with `error:` and `hint:` lines and its exit code.

    With `--json` the error is also the document on standard output. A defect of ours ends with
    exit code 1 and one line too; AUTOBOT_DEBUG=1 shows its traceback.
    """

    @functools.wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        as_json = bool(kwargs.get("json"))
        try:
            return function(*args, **kwargs)
        except OpsError as error:
            raise _exit(error.message, error.hint, error.exit_code, as_json=as_json) from error
        except KeyboardInterrupt as error:
            hint = "What was done so far is consistent; repeat the command to go on."
            raise _exit("interrupted", hint, Interrupted.exit_code, as_json=as_json) from error
        except BrokenPipeError:
            # The reader of our output has gone (`inv logs | head`): nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit("output closed", 0) from None
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
