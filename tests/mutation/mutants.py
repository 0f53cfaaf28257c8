"""What mutmut made of a module: each mutant's change in words, and what became of it.

mutmut keeps every mutant of a function beside the original in one file, under a mangled name, and the
statuses of pytest in a JSON file beside it.
"""

from __future__ import annotations

import ast
import difflib
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KILLED = frozenset({1, 3, 37})
"""Statuses: a test failed, the code couldn't even be imported, the type check refused it."""
TIMED_OUT = frozenset({24, -24, 36, 152, 255})
"""An endless loop is noticed as well."""
MARK = "__mutmut_"


@dataclass(frozen=True)
class Mutant:
    """One change: the function, the lines that it takes away and those that come instead, stripped."""

    name: str
    function: str
    was: str
    becomes: str


@dataclass(frozen=True)
class ModuleResult:
    """The mutants of one module by what became of them; one that no test reaches survives."""

    path: str
    killed: int
    timed_out: int
    survivors: tuple[Mutant, ...]

    @property
    def mutants(self) -> int:
        """All of them."""
        return self.killed + self.timed_out + len(self.survivors)


def read_results(folder: Path) -> list[ModuleResult]:
    """Results of every module that has mutants, in mutmut's folder."""
    found = []
    for file in sorted(folder.rglob("*.py.meta")):
        statuses = json.loads(file.read_text())["exit_code_by_key"]
        if statuses:
            path = file.relative_to(folder).as_posix().removesuffix(".meta")
            found.append(parse_results(path, statuses, (folder / path).read_text()))
    return found


def parse_results(path: str, statuses: Mapping[str, int | None], source: str) -> ModuleResult:
    """A module's result from mutmut's statuses by mutant, and its file with all mutants."""
    others = {
        name.rpartition(".")[2] for name, status in statuses.items() if status not in KILLED | TIMED_OUT
    }
    return ModuleResult(
        path=path,
        killed=sum(status in KILLED for status in statuses.values()),
        timed_out=sum(status in TIMED_OUT for status in statuses.values()),
        survivors=tuple(each for each in parse_mutants(source) if each.name in others),
    )


def parse_mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a file that mutmut wrote."""
    lines = source.splitlines()
    functions = {
        node.name: textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])).splitlines()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and MARK in node.name
    }
    for name, body in functions.items():
        mangled, _, number = name.rpartition(MARK)
        if number.isdigit():
            original = functions[f"{mangled}{MARK}orig"]
            was, becomes = _changed(original[1:], body[1:])
            signature = (original[0].replace(f"{MARK}orig", ""), body[0].replace(f"{MARK}{number}", ""))
            if not becomes and signature[0] != signature[1]:
                was, becomes = signature
            yield Mutant(name, function_name(mangled), was, becomes)


def function_name(mangled: str) -> str:
    """`xǁRunFolderǁwrite` → `RunFolder.write`, `x_named` → `named`."""
    return mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")


def _changed(before: list[str], after: list[str]) -> tuple[str, str]:
    """Lines that went and lines that came, each side joined."""
    difference = [line for line in difflib.ndiff(before, after) if line[:2] in {"- ", "+ "}]
    sides = (" ".join(line[2:].strip() for line in difference if line[0] == sign) for sign in "-+")
    return (next(sides), next(sides))
