"""What the catalogs refuse, each with its own message, line and fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.load import AGENTS_FILE, DATABASES_FILE, UnknownName
from autobot_ops.catalog.models import RESERVED_USERS
from autobot_ops.errors import ConfigurationError
from autobot_ops.validation import InvalidConfiguration


def edit(project: Path, file: str, old: str, new: str) -> int:
    """Replace a text that stands in the file once; returns the line of the replacement."""
    path = project / file
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def refusal(project: Path) -> InvalidConfiguration:
    with pytest.raises(InvalidConfiguration) as caught:
        load_catalogs(project)
    return caught.value


def test_the_shipped_catalogs_hold_eleven_databases_and_five_agents(root: Path) -> None:
    catalogs = load_catalogs(root)
    numbers = {name: database.number for name, database in catalogs.databases.items()}
    assert numbers == {
        "main": 0, "knowledge": 1, "prompts": 2, "agents": 3, "metrics": 4, "logs": 5, "sessions": 6,
        "workflows": 7, "vectors": 8, "models": 9, "testing": 15,
    }  # fmt: skip
    assert {name: agent.port for name, agent in catalogs.agents.items()} == {
        "chat": 8001, "rag": 8002, "npu": 8003, "research": 8004, "knowledge": 8005,
    }  # fmt: skip


def test_refuses_two_databases_with_one_number(project: Path) -> None:
    line = edit(project, DATABASES_FILE, "number: 7", "number: 6")
    error = refusal(project)
    assert (
        error.message == f"{DATABASES_FILE}:{line}: databases 'sessions' and 'workflows' share the number 6"
    )
    assert error.hint == "Give 'workflows' a free number, for example 7."


@pytest.mark.parametrize("number", [-1, 16, 31])
def test_refuses_a_number_outside_the_catalogs_range(project: Path, number: int) -> None:
    line = edit(project, DATABASES_FILE, "number: 7", f"number: {number}")
    expected = f"{DATABASES_FILE}:{line}: number {number} of database 'workflows' is outside 0-15"
    assert refusal(project).message == expected


def test_refuses_a_number_that_the_server_does_not_have(project: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"number 15 of database 'testing' is outside 0-9"):
        load_catalogs(project, server_databases=10)


def test_refuses_an_unknown_tier_and_names_the_nearest(project: Path) -> None:
    text = (project / DATABASES_FILE).read_text()
    (project / DATABASES_FILE).write_text(text.replace("tier: critical", "tier: crit", 1))
    error = refusal(project)
    assert re.search(r":\d+: unknown tier 'crit' of database 'main'", error.message)
    assert error.hint == "Did you mean 'critical'?"


def test_refuses_an_unknown_security_level(project: Path) -> None:
    text = (project / DATABASES_FILE).read_text()
    (project / DATABASES_FILE).write_text(text.replace("security_level: high", "security_level: secret", 1))
    error = refusal(project)
    assert "unknown security level 'secret' of database 'main'" in error.message
    assert error.hint == "Use one of: high, low, medium."


@pytest.mark.parametrize("field", ["tier", "security_level"])
def test_refuses_a_database_without_tier_or_security_level(project: Path, field: str) -> None:
    path = project / DATABASES_FILE
    path.write_text(re.sub(rf"\n    {field}: .*", "", path.read_text(), count=1))
    error = refusal(project)
    assert f"'{field}' of main of databases is missing" in error.message
    assert error.hint == f"Add a line '{field}: …' there."


@pytest.mark.parametrize("claimed", ["session:*", "session:admin:*", "ses*"])
def test_refuses_overlapping_key_patterns(project: Path, claimed: str) -> None:
    line = edit(project, DATABASES_FILE, '["test:*"]', f'["{claimed}"]')
    error = refusal(project)
    assert error.message.startswith(f"{DATABASES_FILE}:{line}: key pattern '{claimed}' of 'testing' overlaps")


def test_a_suffix_pattern_may_overlap_since_the_longest_prefix_wins(root: Path) -> None:
    assert "*:stats" in load_catalogs(root).database("metrics").key_patterns


def test_refuses_two_suffix_patterns_that_share_a_key(project: Path) -> None:
    edit(project, DATABASES_FILE, '["test:*"]', '["*s"]')
    assert "key pattern '*s' of 'testing' overlaps '*:stats' of 'metrics'" in refusal(project).message


def test_refuses_rights_on_an_unknown_database(project: Path) -> None:
    line = edit(project, AGENTS_FILE, "workflows: read-write", "workflow: read-write")
    error = refusal(project)
    expected = f"{AGENTS_FILE}:{line}: agent 'research' has a right on the unknown database 'workflow'"
    assert error.message == expected
    assert error.hint == "Did you mean 'workflows'?"


def test_refuses_a_volume_that_belongs_to_a_database_the_agent_has_no_right_on(project: Path) -> None:
    line = edit(project, AGENTS_FILE, "      database: vectors", "      database: sessions")
    error = refusal(project)
    expected = "the volume of 'rag' belongs to 'sessions', which the agent has no right on"
    assert error.message == f"{AGENTS_FILE}:{line}: {expected}"
    assert error.hint.startswith("Choose one of knowledge, prompts, ")


def test_refuses_an_agent_that_does_not_say_what_its_volume_holds(project: Path) -> None:
    edit(project, AGENTS_FILE, "      rebuilt_from: PostgreSQL\n", "")
    assert "'rebuilt_from'" in refusal(project).message


def test_refuses_an_unknown_right(project: Path) -> None:
    edit(project, AGENTS_FILE, "workflows: read-write", "workflows: all")
    assert (
        "'workflows' of databases of research of agents: input should be 'read', " in refusal(project).message
    )


def test_refuses_two_agents_on_one_port(project: Path) -> None:
    line = edit(project, AGENTS_FILE, "port: 8002", "port: 8001")
    error = refusal(project)
    assert error.message == f"{AGENTS_FILE}:{line}: agents 'chat' and 'rag' have the same port 8001"
    assert error.hint == "Give 'rag' a free port, for example 8006."


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "hint"),
    [
        (DATABASES_FILE, "number: 7", "numbr: 7", "numbr", "Did you mean 'number'?"),
        (AGENTS_FILE, "port: 8002", "ports: 8002", "ports", "Did you mean 'port'?"),
        (DATABASES_FILE, "tiers:\n", "tiers_:\n", "tiers_", "Did you mean 'tiers'?"),
    ],
)
def test_refuses_unknown_fields(project: Path, file: str, old: str, new: str, field: str, hint: str) -> None:
    line = edit(project, file, old, new)
    found = {problem.message: problem for problem in refusal(project).problems}
    problem = next(found[message] for message in found if message.startswith(f"unknown field '{field}'"))
    assert problem.place == f"{file}:{line}"
    assert problem.fix == hint


def test_reports_every_problem_of_both_files_at_once(project: Path) -> None:
    edit(project, DATABASES_FILE, "number: 7", "number: 99")
    edit(project, AGENTS_FILE, "port: 8002", "port: 8001")
    error = refusal(project)
    assert len(error.problems) == 2
    assert "(and 1 more: inv config.check)" in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("databases: [1, 2\n", r":\d+: not valid YAML"),
        ("databases:\n  main: {}\n  main: {}\n", r":3: 'main' appears twice, first on line 2"),
        ("- 1\n", r":1: expected a mapping, found a list"),
        ("", r"'databases' is missing"),
    ],
)
def test_refuses_broken_yaml_with_its_line(project: Path, text: str, message: str) -> None:
    (project / DATABASES_FILE).write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_catalogs(project)


def test_a_missing_catalog_says_how_to_get_it_back(project: Path) -> None:
    (project / AGENTS_FILE).unlink()
    with pytest.raises(ConfigurationError) as caught:
        load_catalogs(project)
    assert caught.value.message == f"{AGENTS_FILE} is missing"
    assert "git checkout" in caught.value.hint


def test_an_unknown_database_name_is_answered_with_the_nearest(root: Path) -> None:
    with pytest.raises(UnknownName, match="unknown database 'sesions'") as caught:
        load_catalogs(root).database("sesions")
    assert caught.value.hint == "Did you mean 'sessions'?"


@pytest.mark.parametrize("pattern", ["two words:*", "say(:*)", "tab\\t*", "quote'*"])
def test_refuses_a_key_pattern_that_a_line_of_rules_cannot_carry(project: Path, pattern: str) -> None:
    edit(project, DATABASES_FILE, '"test:*"', f'"{pattern}"')
    assert "key_patterns" in refusal(project).message


@pytest.mark.parametrize("name", RESERVED_USERS)
def test_refuses_an_agent_that_is_called_like_a_user_of_the_tool(project: Path, name: str) -> None:
    line = edit(project, AGENTS_FILE, "  chat:\n", f"  {name}:\n")
    expected = f"{AGENTS_FILE}:{line}: agent '{name}' is called like a user that the tool makes in redis"
    assert refusal(project).message == expected
