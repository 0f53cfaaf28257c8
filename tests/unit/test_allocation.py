"""A new database in the catalogs: number, rights, and everything else as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.catalog.allocation import parse_grants, plan_allocation, with_database, with_grants
from autobot_ops.catalog.load import AGENTS_FILE, DATABASES_FILE
from autobot_ops.catalog.models import AccessRight
from autobot_ops.errors import ConfigurationError
from autobot_ops.yaml_source import load_yaml


@pytest.fixture
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


def test_takes_the_lowest_free_number_and_a_pattern_of_its_name(catalogs: Catalogs) -> None:
    allocation = plan_allocation(catalogs, "feedback")
    assert (allocation.number, allocation.key_patterns) == (10, ("feedback:*",))


def test_the_changed_catalogs_hold_the_new_row_and_rights(project: Path, catalogs: Catalogs) -> None:
    grants = {"chat": "read-write", "knowledge": "read"}
    allocation = plan_allocation(catalogs, "feedback", key_patterns=["fb:*", "vote:*"], grants=grants)
    for name, change in ((DATABASES_FILE, with_database), (AGENTS_FILE, with_grants)):
        path = project / name
        path.write_text(change(path.read_text(), load_yaml(path, name=name), allocation))
    changed = load_catalogs(project)
    row = changed.database("feedback")
    assert (row.number, row.key_patterns, row.tier) == (10, ("fb:*", "vote:*"), "optional")
    assert row.components == ("chat", "knowledge")
    assert changed.agent("chat").databases["feedback"] is AccessRight.READ_WRITE
    assert changed.agent("knowledge").databases["feedback"] is AccessRight.READ
    assert "feedback" not in changed.agent("npu").databases
    assert {name: row for name, row in changed.databases.items() if name != "feedback"} == dict(
        catalogs.databases
    )


def test_no_line_of_the_catalogs_is_lost_or_changed(project: Path, catalogs: Catalogs) -> None:
    allocation = plan_allocation(catalogs, "feedback", grants={"chat": "read"})
    for name, change in ((DATABASES_FILE, with_database), (AGENTS_FILE, with_grants)):
        path = project / name
        before = path.read_text().splitlines()
        after = iter(change(path.read_text(), load_yaml(path, name=name), allocation).splitlines())
        assert all(line in after for line in before), "every former line, in the former order"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "sessions"}, "database 'sessions' exists, number 6"),
        ({"name": "feedback", "grants": {"chit": "read"}}, "unknown agent 'chit'"),
        ({"name": "feedback", "grants": {"chat": "all"}}, "unknown right 'all'"),
        ({"name": "feedback", "access_pattern": "often"}, "unknown access pattern 'often'"),
    ],
)
def test_refuses(catalogs: Catalogs, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plan_allocation(catalogs, **arguments)  # type: ignore[arg-type]


def test_refuses_when_no_number_is_free(catalogs: Catalogs) -> None:
    row = catalogs.database("testing")
    full = {f"db{number}": row.model_copy(update={"number": number}) for number in range(16)}
    with pytest.raises(ConfigurationError, match="all numbers from 0 to 15 are taken"):
        plan_allocation(
            Catalogs(full, catalogs.tiers, catalogs.security_levels, catalogs.agents, ""), "feedback"
        )


def test_a_grant_without_a_right_is_refused() -> None:
    assert parse_grants(["chat=read"]) == {"chat": "read"}
    with pytest.raises(ConfigurationError, match="AGENT=RIGHT"):
        parse_grants(["chat"])
