"""Settings: precedence, provenance, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.errors import ConfigurationError
from autobot_ops.settings import STACK_FILE, load_settings, resolve_settings


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(project: Path) -> None:
    (project / STACK_FILE).write_text("project: filed\nport_offset: 10\n")
    resolved = resolve_settings(project, {"AUTOBOT_PROJECT": "named"})
    assert (resolved.settings.project, resolved.origins["project"]) == ("named", "AUTOBOT_PROJECT")
    assert (resolved.settings.port_offset, resolved.origins["port_offset"]) == (10, "config/stack.yaml:2")
    assert (resolved.settings.stop_timeout, resolved.origins["stop_timeout"]) == (30, "default")


def test_refuses_an_unknown_setting_with_line_and_nearest(project: Path) -> None:
    (project / STACK_FILE).write_text("project: a\nport_ofset: 10\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(project, {})
    assert caught.value.message == "config/stack.yaml:2: unknown field 'port_ofset'"
    assert caught.value.hint == "Did you mean 'port_offset'?"


def test_refuses_a_misspelt_variable(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(project, {"AUTOBOT_PROJEKT": "x"})
    assert caught.value.message == "environment: unknown variable AUTOBOT_PROJEKT"
    assert caught.value.hint == "Did you mean 'AUTOBOT_PROJECT'?"


def test_a_wrong_value_is_blamed_on_the_variable_that_set_it(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(project, {"AUTOBOT_PORT_OFFSET": "many"})
    assert caught.value.message.startswith("AUTOBOT_PORT_OFFSET: 'port_offset': ")
    assert caught.value.hint == "Correct or unset AUTOBOT_PORT_OFFSET."


def test_a_wrong_value_is_blamed_on_the_line_that_set_it(project: Path) -> None:
    (project / STACK_FILE).write_text("project: a\nredis_databases: 8\n")
    with pytest.raises(ConfigurationError, match=r"config/stack.yaml:2: 'redis_databases': .*16"):
        load_settings(project, {})


def test_variables_that_compose_gets_from_us_are_no_settings(project: Path) -> None:
    load_settings(project, {"AUTOBOT_CHAT_IMAGE": "x", "AUTOBOT_CHAT_PORT": "1", "AUTOBOT_DEBUG": "1"})


def test_the_root_cannot_be_set_from_the_file(project: Path) -> None:
    (project / STACK_FILE).write_text("root: /\n")
    with pytest.raises(ConfigurationError, match="unknown field 'root'"):
        load_settings(project, {})
