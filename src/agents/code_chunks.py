"""Source code into chunks that can be searched for by what they do. Pure.

Python is cut along its functions and classes; anything else, and Python that doesn't parse, into
windows of lines.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

WINDOW_LINES = 40
WINDOW_OVERLAP = 8
# A longer definition is windowed as well: an embedding reads some 200 words and ignores the rest.
LONGEST_DEFINITION = 80

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class CodeChunk:
    """Lines `first_line` to `last_line`, counted from 1; `name` is dotted, or empty for a window."""

    kind: str
    name: str
    first_line: int
    last_line: int
    text: str


def split_code(path: str, source: str) -> list[CodeChunk]:
    """Chunks in the order of the file, none of them blank; together they hold every line with code."""
    if PurePosixPath(path).suffix in (".py", ".pyi"):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # ValueError: a NUL character
            pass
        else:
            # ast counts line ends only; splitlines() would also cut at form feeds.
            cutter = _Cutter(source.split("\n"))
            return list(cutter.body("module", "", tree.body, cutter.everything))
    cutter = _Cutter(source.splitlines())
    return list(cutter.windows("lines", "", cutter.everything))


class _Cutter:
    """Cuts one file. A span is a range of line numbers, counted from 1."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.everything = range(1, len(lines) + 1)

    def body(self, kind: str, name: str, statements: list[ast.stmt], span: range) -> Iterator[CodeChunk]:
        """Definitions as chunks of their own, and what stands between them as chunks of `kind`."""
        position = span.start
        for statement in statements:
            if not isinstance(statement, _Definition):
                continue
            start = min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
            stop = (statement.end_lineno or statement.lineno) + 1
            yield from self.windows(kind, name, range(position, start))
            yield from self._definition(name, statement, range(start, stop))
            position = max(position, stop)
        yield from self.windows(kind, name, range(position, span.stop))

    def _definition(self, prefix: str, definition: _Definition, span: range) -> Iterator[CodeChunk]:
        name = f"{prefix}.{definition.name}" if prefix else definition.name
        if isinstance(definition, ast.ClassDef):
            yield from self.body("class", name, definition.body, span)
        else:
            size = len(span) if len(span) <= LONGEST_DEFINITION else WINDOW_LINES
            yield from self.windows("function", name, span, size)

    def windows(self, kind: str, name: str, span: range, size: int = WINDOW_LINES) -> Iterator[CodeChunk]:
        """A span in overlapping windows, without blank lines at its ends."""
        first, stop = span.start, span.stop
        while first < stop and not self._lines[first - 1].strip():
            first += 1
        while stop > first and not self._lines[stop - 2].strip():
            stop -= 1
        while first < stop:
            end = min(stop, first + size)
            yield CodeChunk(kind, name, first, end - 1, "\n".join(self._lines[first - 1 : end - 1]))
            if end == stop:
                return
            first = end - WINDOW_OVERLAP
