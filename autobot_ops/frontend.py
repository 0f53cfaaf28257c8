"""The one place that writes to the terminal and asks questions.

Results go to standard output; remarks, progress and questions to standard error, so that a pipe
gets results alone. Nothing here decides anything.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rich import box
from rich import progress as bars
from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autobot_ops.errors import Interrupted, RefusedForSafety


class OutputClosed(Interrupted):
    """Whoever read the output has gone, as `head` does after its lines."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """End as after Ctrl-C: rich would end the process, and the work under way with it."""
        _give_up(self.file.fileno())


_results = _Console(highlight=False, soft_wrap=True)
_remarks = _Console(stderr=True, highlight=False, soft_wrap=True)

emitted_json: list[bool] = []
"""Not empty once standard output has its JSON document."""

STYLES = {
    **dict.fromkeys(("healthy", "cached", "ok", "done"), "green"),
    **dict.fromkeys(("built", "building", "starting", "warn"), "yellow"),
    **dict.fromkeys(("unhealthy", "failed", "exited", "missing"), "bold red"),
    "waiting": "dim",
}
"""Colours of the words that stand for a state; any other word is plain."""


def say(text: str) -> None:
    """A remark for the person who is watching."""
    _remarks.print(Text(text))


def warn(text: str) -> None:
    """Something that isn't an error and should be read."""
    _remarks.print(Text(f"warning: {text}", style="yellow"))


def result(text: str) -> None:
    """A line of the command's result."""
    _results.print(Text(text))


def emit_json(value: object) -> None:
    """The command's result for a program: one JSON document, and no second one for an error after it."""
    emitted_json.append(True)
    try:
        sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up(sys.stdout.fileno())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The command's result as a table; on a pipe the same, without colours and without a terminal's width."""
    drawn = _table(title, columns, rows)
    if _results.is_terminal:
        _results.print(drawn)
    else:
        _Console(file=sys.stdout, width=200, highlight=False).print(drawn)


def confirm(question: str, *, assume_yes: bool) -> None:
    """Return if the person agrees; otherwise RefusedForSafety. Without a terminal only --yes agrees."""
    if assume_yes:
        return
    if not sys.stdin.isatty():
        raise RefusedForSafety(f"{question} needs a yes", hint="Repeat the command with --yes.")
    _remarks.print(Text(f"{question} [y/N] ", style="bold"), end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise RefusedForSafety(
            "not confirmed, nothing was done", hint="Answer y, or repeat the command with --yes."
        )


class Progress:
    """Rows that change while work goes on: live on a terminal, one line per change of state elsewhere."""

    def __init__(self, title: str, columns: Sequence[str], live: Live | None) -> None:
        self._title, self._columns, self._live = title, columns, live
        self._rows: dict[str, tuple[str, ...]] = {}

    def update(self, name: str, state: str, *details: str) -> None:
        """Set one row: its name, the state in a word, and what else the columns say."""
        before = self._rows.get(name)
        self._rows[name] = (name, state, *details)
        if self._live is not None:
            self._live.update(_table(self._title, self._columns, list(self._rows.values())))
        elif before is None or before[1] != state:
            say("  ".join(part for part in (name, state, *details) if part))


@contextmanager
def progress(title: str, columns: Sequence[str]) -> Iterator[Progress]:
    """Show rows while work goes on; they vanish when it is done, since a result table follows."""
    if not _remarks.is_terminal:
        yield Progress(title, columns, None)
        return
    with Live(console=_remarks, transient=True, refresh_per_second=8) as live:
        yield Progress(title, columns, live)


class Work:
    """How far one long piece of work is, in units; it may be told as often as one likes."""

    def __init__(self, bar: bars.Progress | None, task: bars.TaskID | None) -> None:
        self._bar, self._task = bar, task

    def set(self, done: float, note: str = "") -> None:
        """So much is done; the note says more than a number can."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, note=note)


@contextmanager
def work(title: str, *, unit: str, total: float | None = None) -> Iterator[Work]:
    """Show how far work is, with rate and, if the total is known, time left. Nothing on a pipe.

    `unit` is "bytes", or what is counted ("keys").
    """
    if not _remarks.is_terminal:
        yield Work(None, None)
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=24),
        _Amount(unit),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[note]}", style="dim"),
    )
    with bars.Progress(*columns, console=_remarks, transient=True) as bar:
        yield Work(bar, bar.add_task(title, total=total, note=""))


def _give_up(descriptor: int) -> NoReturn:
    # What is still in the stream's buffer goes nowhere, else Python complains when it ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    raise OutputClosed("nobody reads the output any more", hint=Interrupted.go_on_hint)


class _Amount(bars.ProgressColumn):
    """What is done, of how much, and how much a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: bars.Task) -> Text:
        def shown(amount: float) -> str:
            return decimal(int(amount)) if self._unit == "bytes" else f"{amount:,.0f} {self._unit}"

        of_total = f" of {shown(task.total)}" if task.total else ""
        rate = f", {shown(task.speed)}/s" if task.speed else ""
        return Text(f"{shown(task.completed)}{of_total}{rate}")


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    drawn = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(str(cell), style=STYLES.get(str(cell).split(" ")[0], "")) for cell in row))
    return drawn
