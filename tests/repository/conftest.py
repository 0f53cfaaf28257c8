"""Golden files: what something derived looked like when a person last agreed to it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "repository" / "golden"

CompareWithGolden = Callable[[str, str], None]


@pytest.fixture
def compare_with_golden(request: pytest.FixtureRequest) -> CompareWithGolden:
    """Compare a text with the golden file of a name; a difference fails as a diff.

    With --rewrite-golden the file becomes the text, to be looked at and committed.
    """

    def compare(name: str, text: str) -> None:
        path = FOLDER / name
        if request.config.getoption("--rewrite-golden"):
            path.write_text(text)
            return
        if difference := render_difference(path, text):
            agree = "If that is meant: nox -s repository -- --rewrite-golden, and commit the file."
            pytest.fail(f"{difference}\n{agree}", pytrace=False)

    return compare


def render_difference(path: Path, text: str) -> str:
    """A unified diff from the golden file, which may be missing, to the text; "" if they agree."""
    golden = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(
        golden.splitlines(), text.splitlines(), f"golden/{path.name}", "now", lineterm="", n=4
    )
    return "\n".join(lines)
