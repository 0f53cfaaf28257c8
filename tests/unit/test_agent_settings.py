"""An agent's environment becomes settings, or one clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.agents.registry import AGENT_NAMES, agent_class
from src.agents.settings import load_agent_settings
from src.errors import ConfigurationInvalid
from src.utils.redis_settings import read_yaml_mapping


def test_an_agents_rights_come_from_the_catalog() -> None:
    settings = load_agent_settings({"AGENT_NAME": "chat"})
    assert settings.granted_databases["sessions"] == "read-write"
    assert settings.granted_databases["models"] == "read"
    assert "vectors" not in settings.granted_databases
    assert settings.postgres is None


def test_only_an_agent_of_the_catalog_has_postgresql() -> None:
    settings = load_agent_settings({"AGENT_NAME": "knowledge", "POSTGRES_PORT": "5433"})
    assert settings.postgres is not None
    assert settings.postgres.port == 5433
    assert settings.postgres.user == "knowledge"


def test_without_a_password_file_postgresql_gets_none() -> None:
    postgres = load_agent_settings({"AGENT_NAME": "knowledge"}).postgres
    assert postgres is not None
    assert postgres.read_password() is None


def test_the_password_is_read_anew_each_time(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("first\n", encoding="utf-8")
    environment = {"AGENT_NAME": "knowledge", "POSTGRES_PASSWORD_FILE": str(secret)}
    postgres = load_agent_settings(environment).postgres
    assert postgres is not None
    assert postgres.read_password() == "first"
    secret.write_text("second", encoding="utf-8")
    assert postgres.read_password() == "second"


@pytest.mark.parametrize("name", ["", "chatt"])
def test_refuses_an_agent_that_the_catalog_does_not_know(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="AGENT_NAME"):
        load_agent_settings({"AGENT_NAME": name})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AGENT_PORT", "none"), ("LOG_LEVEL", "loud"), ("SHUTDOWN_GRACE_SECONDS", "-1")],
)
def test_refuses_a_wrong_variable_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=variable):
        load_agent_settings({"AGENT_NAME": "chat", variable: value})


def test_every_agent_of_the_catalog_has_a_module(root: Path) -> None:
    assert set(AGENT_NAMES) == set(read_yaml_mapping(root / "config" / "agents.yaml", "agents"))


def test_an_unknown_agent_has_no_class() -> None:
    with pytest.raises(ConfigurationInvalid, match="Did you mean 'research'"):
        agent_class("researcher")
