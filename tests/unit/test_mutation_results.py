"""Mutants are read as mutmut writes them, and a survivor needs an explanation."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mutation.mutants import Mutant, function_name, read_results
from tests.mutation.results import Explanation, disagreements, render_results

SOURCE = """
def x_named__mutmut_orig(keys):
    return [key.decode("latin-1")
            for key in keys]

def x_named__mutmut_1(keys):
    return [key.decode("LATIN-1")
            for key in keys]

class Run:
    def xǁRunǁwrite__mutmut_orig(self, sync=False):
        return sync

    def xǁRunǁwrite__mutmut_1(self, sync=True):
        return sync

    def xǁRunǁwrite__mutmut_2(self, sync=False):
        return not sync
"""
STATUSES = {"a.x_named__mutmut_1": 0, "a.xǁRunǁwrite__mutmut_1": 33, "a.xǁRunǁwrite__mutmut_2": 1}
NAMED = Mutant("x_named__mutmut_1", "named", 'return [key.decode("latin-1")', 'return [key.decode("LATIN-1")')


def write(folder: Path) -> None:
    (folder / "a.py").write_text(SOURCE)
    (folder / "a.py.meta").write_text(json.dumps({"exit_code_by_key": STATUSES}))
    (folder / "b.py.meta").write_text(json.dumps({"exit_code_by_key": {}}))


def test_survivors_are_told_by_what_they_change(tmp_path: Path) -> None:
    write(tmp_path)
    (result,) = read_results(tmp_path)
    assert (result.path, result.mutants, result.killed, result.timed_out) == ("a.py", 3, 1, 0)
    assert result.survivors[0] == NAMED
    assert result.survivors[1].was == "def xǁRunǁwrite(self, sync=False):"
    assert result.survivors[1].becomes == "def xǁRunǁwrite(self, sync=True):"


def test_names_are_read_as_people_write_them() -> None:
    assert function_name("xǁRunFolderǁwrite") == "RunFolder.write"
    assert function_name("x__apply") == "_apply"


def test_an_unexplained_survivor_and_an_idle_explanation_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    results = read_results(tmp_path)
    fitting = Explanation(module="a.py", function="named", becomes=NAMED.becomes, why="no case")
    idle = fitting.model_copy(update={"becomes": "return keys"})
    first, second = disagreements(results, [fitting, idle])
    assert first.startswith("a.py, Run.write: survives")
    assert second.startswith("a.py, named: explained, and doesn't survive")


def test_the_table_has_a_row_for_each_module_and_their_sum(tmp_path: Path) -> None:
    write(tmp_path)
    rows = render_results(read_results(tmp_path)).splitlines()
    assert rows[2:] == ["| `a.py` | 3 | 1 | 0 | 2 |", "| all | 3 | 1 | 0 | 2 |"]
