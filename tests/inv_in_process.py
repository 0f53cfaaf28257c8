"""`inv` called in this process, so that its branches are measured and a test sees what a person sees."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from invoke import Program

import tasks
from autobot_ops import command, frontend


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    exit_code: int
    output: str
    remarks: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.output)


Inv = Callable[..., Ended]


class _Keyboard(io.StringIO):
    """The standard input of a person at a terminal."""

    def isatty(self) -> bool:
        return True


def call_inv(*arguments: str, answer: str | None = None) -> Ended:
    """Call a verb as the command line does. `answer` is what a person at a terminal types, None for a pipe.

    What its child processes write themselves isn't in the result.
    """
    output, remarks = io.StringIO(), io.StringIO()
    exit_code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(remarks):
        patch.setattr(frontend, "emitted_json", [])
        patch.setattr(sys, "stdin", io.StringIO() if answer is None else _Keyboard(f"{answer}\n"))
        try:
            Program(namespace=tasks.namespace).run(["inv", *arguments])
        except SystemExit as end:
            exit_code = int(end.code or 0)
    return Ended(exit_code, output.getvalue(), remarks.getvalue())


def work_in(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Have verbs take another folder for the project's, until the patch is undone."""
    for module in (command, *vars(tasks).values()):
        if isinstance(module, ModuleType) and hasattr(module, "ROOT"):
            patch.setattr(module, "ROOT", root)
