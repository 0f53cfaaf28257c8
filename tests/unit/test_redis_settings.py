"""Catalog and environment become settings, or one clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import ConfigurationInvalid, UnknownDatabase
from src.utils.redis_settings import (
    CONNECTIONS_LEFT_TO_THE_OPERATOR,
    DatabaseEntry,
    count_sharers,
    load_redis_settings,
)


def catalog(folder: Path, text: str) -> Path:
    path = folder / "redis-databases.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_the_catalog_of_the_repository(root: Path) -> None:
    settings = load_redis_settings(environment={})
    assert settings.source == str(root / "config" / "redis-databases.yaml")
    assert settings.entry("sessions").number == 6
    assert settings.entry("sessions").ttl_default == 86_400
    assert settings.entry("knowledge").key_patterns[0] == "fact:*"


def test_the_environment_wins_over_the_catalog(project: Path) -> None:
    settings = load_redis_settings(
        project / "config" / "redis-databases.yaml",
        {"REDIS_DB_SESSIONS": "12", "REDIS_HOST": "redis", "REDIS_PORT": "6380", "REDIS_USERNAME": "chat"},
    )
    assert settings.entry("sessions").number == 12
    assert (settings.host, settings.port, settings.username) == ("redis", 6380, "chat")


def test_an_explicit_path_wins_over_the_variable(tmp_path: Path) -> None:
    path = catalog(tmp_path, "databases: {only: {number: 3}}")
    settings = load_redis_settings(path, {"REDIS_DATABASES_FILE": "/nowhere.yaml"})
    assert list(settings.databases) == ["only"]


def test_an_unknown_name_raises_with_the_nearest_match() -> None:
    with pytest.raises(UnknownDatabase, match=r"unknown database 'session'. Did you mean 'sessions'\?"):
        load_redis_settings(environment={}).entry("session")


def test_an_unknown_name_is_a_lookup_error_for_callers_without_our_errors() -> None:
    with pytest.raises(LookupError):
        load_redis_settings(environment={}).entry("nothing-like-it")


def test_refuses_a_variable_that_names_no_database() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"REDIS_DB_SESSION names no database.*'sessions'"):
        load_redis_settings(environment={"REDIS_DB_SESSION": "6"})


def test_refuses_two_databases_with_one_number() -> None:
    with pytest.raises(ConfigurationInvalid, match="'knowledge' and 'prompts' have the same number 2"):
        load_redis_settings(environment={"REDIS_DB_KNOWLEDGE": "2"})


def test_refuses_a_catalog_with_one_number_twice_though_the_environment_parts_them(tmp_path: Path) -> None:
    path = catalog(tmp_path, "databases: {one: {number: 3}, other: {number: 3}}")
    with pytest.raises(ConfigurationInvalid, match="'one' and 'other' have the same number 3"):
        load_redis_settings(path, {"REDIS_DB_OTHER": "4"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_PORT", "0"),
        ("REDIS_PORT", "65536"),
        ("REDIS_PORT", "6379x"),
        ("REDIS_DB_MAIN", "-1"),
        ("REDIS_DB_MAIN", "²"),
        ("REDIS_TLS", "maybe"),
        ("REDIS_CLIENT_NAME", "two words"),
    ],
)
def test_refuses_a_wrong_variable_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=variable):
        load_redis_settings(environment={variable: value})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("databases: [", "not valid YAML"),
        ("other: {}", "no mapping 'databases'"),
        ("databases: {}", "no mapping 'databases'"),
        ("databases: {main: 0}", "database 'main' is not a mapping"),
        ("databases: {main: {number: yes}}", "whole number.*number, not True"),
        ("databases: {main: {number: '0'}}", "whole number"),
        ("databases: {main: {}}", "whole number.*not None"),
        ("databases: {main: {number: 0, ttl_default: -5}}", "ttl_default"),
    ],
)
def test_refuses_a_wrong_catalog_and_names_the_file(tmp_path: Path, text: str, words: str) -> None:
    path = catalog(tmp_path, text)
    with pytest.raises(ConfigurationInvalid, match=words) as caught:
        load_redis_settings(path, {})
    assert str(path) in str(caught.value)


def test_a_missing_catalog_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"cannot read .*absent\.yaml"):
        load_redis_settings(tmp_path / "absent.yaml", {})


def test_tls_settings_are_read_only_when_tls_is_on() -> None:
    assert load_redis_settings(environment={"REDIS_TLS_CA_FILE": "/ca.pem"}).tls is None
    tls = load_redis_settings(
        environment={"REDIS_TLS": "1", "REDIS_TLS_CA_FILE": "/ca.pem", "REDIS_TLS_CHECK_HOSTNAME": "0"}
    ).tls
    assert tls is not None
    assert (tls.ca_file, tls.check_hostname) == ("/ca.pem", False)


def test_no_password_shows_in_a_representation() -> None:
    settings = load_redis_settings(environment={"REDIS_PASSWORD": "canary-7731", "REDIS_USERNAME": "chat"})
    assert "canary-7731" not in repr(settings)
    assert "canary-7731" not in repr(settings.credentials)


def test_the_agents_together_stay_below_the_alert_of_every_database(root: Path) -> None:
    settings = load_redis_settings(environment={})
    sharers = count_sharers(root / "config" / "agents.yaml")
    for name, entry in settings.databases.items():
        if name in sharers:
            total = entry.pool_bound * sharers[name] + CONNECTIONS_LEFT_TO_THE_OPERATOR
            assert total <= entry.connections_alert, name


def test_without_the_list_of_agents_a_database_counts_as_shared_by_all() -> None:
    assert DatabaseEntry("any", 0, connections_alert=15).pool_bound == 2


def test_a_pool_is_never_smaller_than_two() -> None:
    assert DatabaseEntry("any", 0, connections_alert=4, sharers=9).pool_bound == 2
