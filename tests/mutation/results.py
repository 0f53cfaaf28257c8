"""`python -m tests.mutation.results [--record]`, after `mutmut run`: whether survivors are explained.

Prints a table. Fails for a survivor that nobody explained, and for an explanation without a survivor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tests.conftest import ROOT
from tests.mutation.mutants import ModuleResult, Mutant, read_results
from tests.verification import markdown_table, record

MUTANTS = ROOT / "mutants"
EXPLAINED = ROOT / "tests" / "mutation" / "explained.yaml"
COLUMNS = ("module", "mutants", "killed", "timed out", "survived, explained")


class Explanation(BaseModel):
    """Why a mutant survives: its module, function, and the line that it makes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    function: str
    becomes: str
    why: str

    def fits(self, path: str, mutant: Mutant) -> bool:
        """Whether it speaks of this mutant."""
        return (self.module, self.function, self.becomes) == (path, mutant.function, mutant.becomes)


def load_explanations() -> list[Explanation]:
    """Everything that is explained."""
    rows = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8")) or []
    return TypeAdapter(list[Explanation]).validate_python(rows)


def disagreements(results: Iterable[ModuleResult], explained: Sequence[Explanation]) -> Iterator[str]:
    """Survivors without an explanation, and explanations without a survivor."""
    survivors = [(result.path, mutant) for result in results for mutant in result.survivors]
    for path, mutant in survivors:
        if not any(each.fits(path, mutant) for each in explained):
            yield f"{path}, {mutant.function}: survives\n  - {mutant.was}\n  + {mutant.becomes}"
    for each in explained:
        if not any(each.fits(path, mutant) for path, mutant in survivors):
            yield f"{each.module}, {each.function}: explained, and doesn't survive\n  + {each.becomes}"


def render_results(results: Sequence[ModuleResult]) -> str:
    """A row for each module, and their sum."""
    rows = [(f"`{each.path}`", *_figures([each])) for each in results]
    return markdown_table(COLUMNS, [*rows, ("all", *_figures(results))])


def _figures(results: Sequence[ModuleResult]) -> tuple[str, ...]:
    sums = (
        sum(each.mutants for each in results),
        sum(each.killed for each in results),
        sum(each.timed_out for each in results),
        sum(len(each.survivors) for each in results),
    )
    return tuple(map(str, sums))


def main() -> None:
    """Print, fail on a disagreement, record if asked."""
    results = read_results(MUTANTS)
    table = render_results(results)
    print(table)  # noqa: T201 - it is a program
    wrong = list(disagreements(results, load_explanations()))
    if not results or wrong:
        sys.exit("\n".join([*wrong, f"{len(wrong)} to kill or to explain"]))
    if "--record" in sys.argv:
        record("mutation", table)


if __name__ == "__main__":
    main()
