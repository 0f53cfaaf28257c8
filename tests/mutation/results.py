"""What a run of mutmut found, held against the survivors that are explained.

`python -m tests.mutation.results [--record]` after `mutmut run`: prints a table, names survivors that nobody
explained and explanations that nothing survives any more, and fails if there is one of either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.verification import markdown_table, record

MUTANTS = ROOT / "mutants"
EXPLAINED = ROOT / "tests" / "mutation" / "explained.yaml"
KILLED = frozenset({1, 3, 37})
"""Statuses of pytest (a test failed, or the code couldn't even be imported) and of mutmut's type check."""
TIMED_OUT = frozenset({24, -24, 36, 152, 255})
"""An endless loop is noticed as well."""


@dataclass(frozen=True)
class ModuleResult:
    """The mutants of one module by what became of them; `survivors` are names."""

    path: str
    killed: int
    timed_out: int
    survivors: tuple[str, ...]

    @property
    def mutants(self) -> int:
        """All of them."""
        return self.killed + self.timed_out + len(self.survivors)


def parse_results(path: str, statuses: Mapping[str, int | None]) -> ModuleResult:
    """Count a module's mutants by mutmut's statuses; one that no test reaches survives."""
    killed = sum(status in KILLED for status in statuses.values())
    timed_out = sum(status in TIMED_OUT for status in statuses.values())
    others = tuple(name for name, status in statuses.items() if status not in KILLED | TIMED_OUT)
    return ModuleResult(path, killed, timed_out, others)


def read_results(folder: Path) -> list[ModuleResult]:
    """Results of every module that has mutants, in mutmut's folder."""
    found = []
    for file in sorted(folder.rglob("*.py.meta")):
        statuses = json.loads(file.read_text())["exit_code_by_key"]
        if statuses:
            found.append(parse_results(file.relative_to(folder).as_posix().removesuffix(".meta"), statuses))
    return found


def disagreements(results: list[ModuleResult], explained: Mapping[str, str]) -> Iterator[str]:
    """Survivors without an explanation, and explanations without a survivor."""
    survivors = {name for result in results for name in result.survivors}
    yield from (f"{name} survives and isn't explained" for name in sorted(survivors - explained.keys()))
    yield from (f"{name} is explained and doesn't survive" for name in sorted(explained.keys() - survivors))


def render_results(results: list[ModuleResult]) -> str:
    """A row for each module, and their sum."""
    rows = [
        (f"`{each.path}`", *map(str, (each.mutants, each.killed, each.timed_out, len(each.survivors))))
        for each in results
    ]
    sums = (sum(getattr(each, name) for each in results) for name in ("mutants", "killed", "timed_out"))
    rows.append(("all", *map(str, sums), str(sum(len(each.survivors) for each in results))))
    return markdown_table(("module", "mutants", "killed", "timed out", "survived, explained"), rows)


def main() -> None:
    """Print, record if asked, and fail on a disagreement."""
    results = read_results(MUTANTS)
    table = render_results(results)
    print(table)  # noqa: T201 - it is a program
    explained = yaml.safe_load(EXPLAINED.read_text()) or {}
    wrong = list(disagreements(results, explained))
    for name in (line.partition(" ")[0] for line in wrong if line.endswith("isn't explained")):
        subprocess.run([Path(sys.executable).with_name("mutmut"), "show", name], cwd=ROOT, check=False)
    if not results or wrong:
        sys.exit("\n".join(wrong) or "mutmut left no results")
    if "--record" in sys.argv:
        record("mutation", table)


if __name__ == "__main__":
    main()
