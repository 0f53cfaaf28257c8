"""Every obligation of the live stack has a test that says so by its mark, and a sabotage that it notices."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.integration.obligations import OBLIGATIONS
from tests.sabotage.catalogue import SABOTAGES


def marked_tests(folder: Path) -> Iterator[tuple[str, int]]:
    """Name and number of each test with a mark `@pytest.mark.obligation(number)`."""
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    if ast.unparse(decorator).startswith("pytest.mark.obligation("):
                        assert isinstance(decorator, ast.Call)
                        (number,) = (ast.literal_eval(argument) for argument in decorator.args)
                        yield f"{path.name}::{node.name}", number


def test_every_obligation_has_a_test(root: Path) -> None:
    covered = {number for _, number in marked_tests(root / "tests/integration")}
    missing = [f"{number}: {text}" for number, text in OBLIGATIONS.items() if number not in covered]
    assert not missing


def test_every_mark_names_an_obligation(root: Path) -> None:
    unknown = [test for test, number in marked_tests(root / "tests/integration") if number not in OBLIGATIONS]
    assert not unknown


def test_every_obligation_has_a_sabotage() -> None:
    covered = {number for sabotage in SABOTAGES for number in sabotage.obligations}
    missing = [f"{number}: {text}" for number, text in OBLIGATIONS.items() if number not in covered]
    assert not missing


def test_obligations_are_numbered_without_a_gap() -> None:
    assert list(OBLIGATIONS) == list(range(1, 29))
