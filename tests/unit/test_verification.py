"""Parts of docs/verification.md are replaced one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verification import UnknownPart, markdown_table, record


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "verification.md"
    path.write_text("a\n<!-- begin one -->\nold\n<!-- end one -->\nb\n<!-- begin two -->\n<!-- end two -->\n")
    return path


def test_a_part_is_replaced_and_the_rest_stays(document: Path) -> None:
    record("one", r"new \1", document=document)
    text = document.read_text()
    assert "old" not in text
    assert r"new \1" in text
    assert text.startswith("a\n")
    assert text.endswith("b\n<!-- begin two -->\n<!-- end two -->\n")


def test_an_empty_part_is_filled_twice(document: Path) -> None:
    record("two", "first", document=document)
    record("two", "second", document=document)
    assert "first" not in document.read_text()


def test_an_unknown_part_is_refused(document: Path) -> None:
    with pytest.raises(UnknownPart, match="three"):
        record("three", "text", document=document)


def test_a_pipe_in_a_cell_is_no_new_cell() -> None:
    assert markdown_table(("x",), [("a|b",)]) == "| x |\n| --- |\n| a\\|b |"
