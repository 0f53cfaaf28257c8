"""A golden file that differs shows as a diff."""

from __future__ import annotations

from pathlib import Path

from tests.repository.conftest import render_difference


def test_equal_texts_have_no_difference(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    assert render_difference(tmp_path / "a.txt", "one\ntwo\n") == ""


def test_a_change_shows_as_what_went_and_what_came(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    lines = render_difference(tmp_path / "a.txt", "one\nthree\n").splitlines()
    assert lines[:2] == ["--- golden/a.txt", "+++ now"]
    assert lines[-2:] == ["-two", "+three"]


def test_a_missing_file_differs(tmp_path: Path) -> None:
    assert render_difference(tmp_path / "a.txt", "one\n")
