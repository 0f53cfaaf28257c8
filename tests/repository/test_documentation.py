"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

import tasks
from autobot_ops import errors
from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.models import Agent, Database
from autobot_ops.isolation import secrets, tls_files
from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.settings import Settings, setting_fields


def table_rows(text: str) -> dict[str, list[str]]:
    """First cell → further cells, of every Markdown table row in a text."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def test_every_exit_code_is_in_the_table(root: Path) -> None:
    rows = table_rows((root / "docs/exit-codes.md").read_text())
    classes = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.OpsError) and each.__module__ == errors.__name__
    ]
    expected = {str(each.exit_code): f"`{each.__name__}`" for each in classes} | {"0": "done"}
    assert {code: cells[0] for code, cells in rows.items() if code.isdigit()} == expected


def test_every_setting_is_documented_with_its_default(root: Path) -> None:
    text = (root / "docs/configuration.md").read_text()
    rows = table_rows(text[text.index("## Settings") : text.index("## Databases")])
    assert set(rows) - {"setting", "---"} == set(setting_fields())
    for field in setting_fields():
        default = str(Settings.model_fields[field].default)
        assert rows[field][0].strip("`") == default, f"the default of {field}"


@pytest.mark.parametrize(("heading", "model"), [("## Databases", Database), ("## Agents", Agent)])
def test_every_field_of_a_catalog_is_documented(root: Path, heading: str, model: type[BaseModel]) -> None:
    text = (root / "docs/configuration.md").read_text()
    section = text[text.index(heading) :]
    section = section[: section.index("\n## ", 3)] if "\n## " in section[3:] else section
    assert set(re.findall(r"`([a-z_]+)`", section)) >= set(model.model_fields)


def test_every_verb_has_an_example_in_the_readme(root: Path) -> None:
    readme = (root / "README.md").read_text()
    missing = [name for name in tasks.namespace.task_names if f"inv {name}" not in readme]
    assert not missing


def test_the_readme_names_no_verb_that_does_not_exist(root: Path) -> None:
    known = {name for primary, aliases in tasks.namespace.task_names.items() for name in (primary, *aliases)}
    named = set(re.findall(r"\binv ([a-z][a-z.-]*[a-z])", (root / "README.md").read_text()))
    assert named - known == set()


def test_every_secret_file_is_documented_with_its_mode(root: Path) -> None:
    text = (root / "docs/operations/secrets.md").read_text()
    rows = table_rows(text[text.index("## The files") : text.index("## TLS")])
    modes = {re.sub("USER|ROLE", r"\\w+", name): cells[1] for name, cells in rows.items()}
    made = (
        *secrets.secret_names(load_catalogs(root)),
        *(ACL_FILE, tls_files.AUTHORITY, tls_files.AUTHORITY_KEY, *tls_files.SERVERS.values()),
    )
    for name in made:
        documented = [mode for pattern, mode in modes.items() if re.fullmatch(pattern, name)]
        assert documented == [f"{secrets.file_mode(name):04o}"], name


def test_everything_that_can_be_rotated_is_documented(root: Path) -> None:
    text = (root / "docs/operations/secrets.md").read_text()
    section = text[text.index("## Rotation") : text.index("## When one leaks")]
    named = {"certificates", "authority", "data-keys", "all", "postgres-ROLE", *secrets.OPERATOR_ROLES}
    assert named <= set(re.findall(r"`([A-Za-z-]+)`", section))
