"""Code is cut along definitions, and no line of it is lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from src.agents.code_chunks import LONGEST_DEFINITION, WINDOW_LINES, CodeChunk, split_code

SOURCE = '''"""Doc."""
import os

LIMIT = 3


@decorated
def first(a):
    return a


class Thing:
    """A thing."""

    size = 1

    async def grow(self):
        self.size += 1

    class Part:
        def turn(self):
            pass


print(LIMIT)
'''


def lines_of(chunks: list[CodeChunk]) -> set[int]:
    return {line for chunk in chunks for line in range(chunk.first_line, chunk.last_line + 1)}


def test_functions_methods_and_what_lies_between_are_chunks() -> None:
    chunks = split_code("thing.py", SOURCE)
    assert [(chunk.kind, chunk.name, chunk.first_line) for chunk in chunks] == [
        ("module", "", 1),
        ("function", "first", 7),
        ("class", "Thing", 12),
        ("function", "Thing.grow", 17),
        ("class", "Thing.Part", 20),
        ("function", "Thing.Part.turn", 21),
        ("module", "", 25),
    ]
    assert chunks[1].text == "@decorated\ndef first(a):\n    return a"


def test_every_line_with_code_of_this_project_is_in_a_chunk(root: Path) -> None:
    for path in (root / "src").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        written = {number for number, line in enumerate(source.split("\n"), 1) if line.strip()}
        assert written <= lines_of(split_code(str(path), source)), path


def test_a_long_function_is_windowed_with_its_name() -> None:
    source = "def long():\n" + "    x = 1\n" * LONGEST_DEFINITION
    chunks = split_code("long.py", source)
    assert len(chunks) > 1
    assert {chunk.name for chunk in chunks} == {"long"}
    assert lines_of(chunks) == set(range(1, LONGEST_DEFINITION + 2))


def test_python_that_does_not_parse_is_windowed() -> None:
    assert [chunk.kind for chunk in split_code("broken.py", "def (:\n")] == ["lines"]


def test_a_blank_file_has_no_chunk() -> None:
    assert split_code("a.py", "\n \n") == []
    assert split_code("a.txt", "") == []


@given(st.lists(st.sampled_from(["", "  ", "x = 1", "{", "}"]), max_size=200))
def test_windows_of_any_text_hold_every_line_with_something_in_it(lines: list[str]) -> None:
    chunks = split_code("a.js", "\n".join(lines))
    assert {number for number, line in enumerate(lines, 1) if line.strip()} <= lines_of(chunks)
    for chunk in chunks:
        assert chunk.text.strip()
        assert chunk.last_line - chunk.first_line < WINDOW_LINES
        assert chunk.text == "\n".join(lines[chunk.first_line - 1 : chunk.last_line])
