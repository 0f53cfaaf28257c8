"""docs/isolation.md says what the rules do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autobot_ops.isolation.access_levels import STRICT_READING, STRICT_WRITING
from autobot_ops.isolation.roles import DEFAULT_USER
from autobot_ops.isolation.secrets import OPERATOR_ROLES


@pytest.fixture
def document(root: Path) -> str:
    return (root / "docs/isolation.md").read_text(encoding="utf-8")


def test_the_strict_level_is_described_command_by_command(document: str) -> None:
    paragraph = next(part for part in document.split("\n\n") if part.startswith("At the level *strict*"))
    reading, writing = paragraph.split("To write:")
    for text, rules in ((reading, STRICT_READING), (writing, STRICT_WRITING)):
        assert ["+" + command for command in re.findall("`([a-z]+)`", text)] == list(rules)


def test_every_user_of_the_tool_is_described(document: str) -> None:
    table = document.partition("| user | may |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z]+)`", table, re.MULTILINE) == [DEFAULT_USER, *OPERATOR_ROLES]
