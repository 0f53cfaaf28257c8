"""The RDB tables in the documentation are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.rdb import layout
from autobot_ops.rdb.layout import DIALECTS, DOUBLE_TEXT, LENGTH, MODULE, STRING, Part, ValueType

_WORDS = {STRING: "s", LENGTH: "l", DOUBLE_TEXT: "score text", MODULE: "module opcodes"}


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, list[str]]:
    """First cell → the others, of every table row."""
    lines = (root / "docs/formats/rdb.md").read_text().splitlines()
    cells = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return {first: rest for first, *rest in cells}


def described(parts: tuple[Part, ...]) -> str:
    return ", ".join(
        _WORDS.get(part, str(part)) if isinstance(part, int) else f"n × ({described(part)})" for part in parts
    )


def row_of(value_type: ValueType) -> list[str]:
    return [value_type.kind, value_type.name, described(value_type.layout)]


def test_every_value_type_is_documented_as_it_is(rows: dict[str, list[str]]) -> None:
    expected: dict[str, list[str]] = {}
    for dialect in DIALECTS:
        for code, value_type in dialect.types.items():
            shared = all(each.types.get(code) == value_type for each in DIALECTS)
            expected[str(code) if shared else f"{code} ({dialect.name})"] = row_of(value_type)
    documented = {first: rest for first, rest in rows.items() if first[:1].isdigit() and len(rest) == 3}
    assert documented == expected


def test_every_record_is_documented(rows: dict[str, list[str]]) -> None:
    documented = {first: rest[0] for first, rest in rows.items() if len(first) == 2 and first[0] == "F"}
    assert documented == {f"{code:02X}": name for code, name in layout.OPCODE_NAMES.items()}


def test_every_version_is_documented(rows: dict[str, list[str]]) -> None:
    documented = {first for first in rows if first.startswith(("REDIS", "VALKEY"))}
    assert documented == {
        f"{dialect.magic.decode()}{version:0{9 - len(dialect.magic)}d}"
        for dialect in DIALECTS
        for version in dialect.versions
    }
