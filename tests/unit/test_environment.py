"""What Compose gets, and the environment files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.settings import load_settings
from autobot_ops.stack.environment import (
    ExampleMissing,
    compose_environment,
    dotenv_project,
    own_environment_files,
    render_dotenv,
    render_redis_environment,
    with_database_numbers,
    write_private_file,
)

NAMES = ("chat", "rag", "npu", "research", "knowledge", "redis", "postgres")


@pytest.fixture
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


def test_the_environment_of_a_second_stack(root: Path, catalogs: Catalogs) -> None:
    settings = load_settings(root, {"AUTOBOT_PROJECT": "second", "AUTOBOT_PORT_OFFSET": "1000"})
    images = {name: f"autobot/{name}:abc" for name in NAMES}
    environment = compose_environment(settings, catalogs, images, version="1.2.3", secrets_group=10999)
    assert environment == {
        "AUTOBOT_PROJECT": "second",
        "AUTOBOT_VERSION": "1.2.3",
        "AUTOBOT_BIND_ADDRESS": "127.0.0.1",
        "AUTOBOT_STOP_TIMEOUT": "30",
        "AUTOBOT_REDIS_DATABASES": "32",
        "AUTOBOT_ENV_SUFFIX": "env",
        "AUTOBOT_SECRETS_DIR": f"{root}/.autobot/second/secrets",
        "AUTOBOT_SECRETS_GID": "10999",
        "AUTOBOT_RESEARCH_ALLOW_PRIVATE": "0",
        "AUTOBOT_CHAT_PORT": "9001",
        "AUTOBOT_RAG_PORT": "9002",
        "AUTOBOT_NPU_PORT": "9003",
        "AUTOBOT_RESEARCH_PORT": "9004",
        "AUTOBOT_KNOWLEDGE_PORT": "9005",
        "AUTOBOT_CHAT_IMAGE": "autobot/chat:abc",
        "AUTOBOT_RAG_IMAGE": "autobot/rag:abc",
        "AUTOBOT_NPU_IMAGE": "autobot/npu:abc",
        "AUTOBOT_RESEARCH_IMAGE": "autobot/research:abc",
        "AUTOBOT_KNOWLEDGE_IMAGE": "autobot/knowledge:abc",
        "AUTOBOT_REDIS_IMAGE": "autobot/redis:abc",
        "AUTOBOT_POSTGRES_IMAGE": "autobot/postgres:abc",
    }


def test_every_variable_is_known_to_the_settings(root: Path, catalogs: Catalogs) -> None:
    settings = load_settings(root, {})
    environment = compose_environment(
        settings, catalogs, dict.fromkeys(NAMES, "x"), version="1", secrets_group=1
    )
    # A person who has sourced .env must still be able to run inv.
    load_settings(root, environment)


def test_dotenv_names_its_project_and_quotes_what_needs_it() -> None:
    text = render_dotenv({"AUTOBOT_PROJECT": "mine", "AUTOBOT_SECRETS_DIR": "/home/a b/$x"})
    assert dotenv_project(text) == "mine"
    assert "AUTOBOT_SECRETS_DIR='/home/a b/$x'" in text.splitlines()
    assert dotenv_project("# nothing\n") is None


def test_redis_numbers_follow_the_catalog(catalogs: Catalogs) -> None:
    lines = render_redis_environment(catalogs).splitlines()
    assert lines[0] == "REDIS_DB_MAIN=0"
    assert lines[-1] == "REDIS_DB_TESTING=15"
    assert len(lines) == len(catalogs.databases)


def test_only_the_numbers_of_a_persons_file_are_replaced(catalogs: Catalogs) -> None:
    mine = "# mine\nREDIS_HOST=elsewhere\nREDIS_DB_MAIN=7\nREDIS_DB_GONE=3\nEXTRA=1\n"
    text = with_database_numbers(mine, catalogs)
    assert text.startswith("# mine\nREDIS_HOST=elsewhere\nREDIS_DB_MAIN=0\n")
    assert text.endswith("REDIS_DB_TESTING=15\nEXTRA=1\n")
    assert "GONE" not in text
    assert with_database_numbers(text, catalogs) == text


def copy_examples(root: Path, folder: Path) -> None:
    (folder / "docker/env").mkdir(parents=True)
    for example in (root / "docker/env").glob("*.example"):
        (folder / "docker/env" / example.name).write_text(example.read_text())


def test_own_files_start_as_the_examples(root: Path, tmp_path: Path, catalogs: Catalogs) -> None:
    copy_examples(root, tmp_path)
    files = own_environment_files(tmp_path, catalogs)
    assert {path.name for path in files} == {"common.env", "redis.env", "agents.env"}
    for path, text in files.items():
        assert text == path.with_name(path.name + ".example").read_text()


def test_a_persons_own_file_stays(root: Path, tmp_path: Path, catalogs: Catalogs) -> None:
    copy_examples(root, tmp_path)
    own = tmp_path / "docker/env/common.env"
    own.write_text("LOG_LEVEL=DEBUG\n")
    assert own_environment_files(tmp_path, catalogs)[own] == "LOG_LEVEL=DEBUG\n"


def test_a_lost_example_is_named(root: Path, tmp_path: Path, catalogs: Catalogs) -> None:
    copy_examples(root, tmp_path)
    (tmp_path / "docker/env/agents.env.example").unlink()
    with pytest.raises(ExampleMissing, match=r"docker/env/agents\.env\.example is missing"):
        own_environment_files(tmp_path, catalogs)


def test_private_files_are_for_their_owner_alone_and_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("old")
    path.chmod(0o644)
    write_private_file(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
