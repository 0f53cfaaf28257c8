"""Bad input: one clear error, a hint, a documented exit code, no traceback, nothing half-made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.conftest import Stack, run_inv

pytestmark = pytest.mark.usefixtures("own_stack")


def assert_clean_error(stderr: str, *words: str) -> None:
    assert "Traceback" not in stderr
    lines = stderr.strip().splitlines()
    assert any(line.startswith("error: ") for line in lines), stderr
    assert any(line.startswith("hint: ") for line in lines), stderr
    for word in words:
        assert word in stderr


def test_without_docker_up_says_how_to_get_it(stack: Stack, tmp_path: Path) -> None:
    done = stack.inv("up", check=False, DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert done.returncode == 4
    assert_clean_error(done.stderr, "Docker engine does not answer", "scripts/bootstrap")


def test_a_taken_port_is_named_before_anything_starts(stack: Stack, tmp_path: Path) -> None:
    """The ports of this stack are taken, for another one."""
    port = stack.catalogs.agent("chat").port + stack.port_offset
    project = f"{stack.project}-port"
    done = stack.inv("up", check=False, AUTOBOT_PROJECT=project, AUTOBOT_STATE_DIR=str(tmp_path))
    assert done.returncode == 4
    assert_clean_error(done.stderr, f"port {port}", "AUTOBOT_PORT_OFFSET")
    label = f"com.docker.compose.project={project}"
    assert not stack.engine.containers.list(all=True, filters={"label": label})


def test_broken_configuration_names_file_and_line(stack: Stack) -> None:
    done = stack.inv("up", check=False, AUTOBOT_PORT_OFFSET="many")
    assert done.returncode == 2
    assert_clean_error(done.stderr, "AUTOBOT_PORT_OFFSET")


def test_down_with_volumes_asks_first(stack: Stack) -> None:
    done = stack.inv("down", "--volumes", check=False)
    assert done.returncode == 5
    assert_clean_error(done.stderr, "--yes")
    assert {container.status for container in stack.containers()} == {"running"}


def test_an_unknown_service_is_answered_with_the_nearest(stack: Stack) -> None:
    done = stack.inv("logs", "chat-agnt", check=False)
    assert done.returncode == 2
    assert_clean_error(done.stderr, "chat-agnt", "Did you mean 'chat-agent'?")


def test_a_checkout_with_broken_yaml_says_where(tmp_path: Path) -> None:
    for name in ("tasks.py", "autobot_ops", "config"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    (tmp_path / "config/stack.yaml").write_text("project: [\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = run_inv("config", environment=environment, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert_clean_error(done.stderr, "config/stack.yaml:", "not valid YAML")
