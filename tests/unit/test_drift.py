"""What `inv config.check` compares: each derived thing is spoilt once, and it says where and what."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.isolation.rotating_secret import NEXT
from autobot_ops.settings import load_settings
from autobot_ops.stack.drift import check_certificates, compare_derived
from autobot_ops.stack.prepare import apply_files, observe_files
from autobot_ops.stack.stack import Stack, open_stack
from autobot_ops.validation import Problem
from tests.conftest import ROOT

COPIED = ("compose", "docker/env", "docker/redis")
REDIS_EXAMPLE = "docker/env/redis.env.example"
AGENTS, BASE, CONF = "compose/agents.yml", "compose/base.yml", "docker/redis/redis.conf"


@pytest.fixture
def project(project: Path) -> Path:
    """A copy of all that is compared."""
    for folder in COPIED:
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("*.env"))
    return project


def stack_of(project: Path) -> Stack:
    return open_stack(project, load_settings(project, {}))


def problems_of(project: Path) -> list[Problem]:
    return [problem for each in compare_derived(stack_of(project)) for problem in each.problems]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_fresh_clone_agrees_with_itself(project: Path) -> None:
    comparisons = compare_derived(stack_of(project))
    assert {each.verdict for each in comparisons} == {"ok"}
    assert {REDIS_EXAMPLE, AGENTS, BASE, CONF, "docker-bake.hcl"} < {each.derived for each in comparisons}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (REDIS_EXAMPLE, "REDIS_DB_LOGS=5", "REDIS_DB_LOGS=6", "REDIS_DB_LOGS is '6', the catalog says 5"),
        (REDIS_EXAMPLE, "REDIS_DB_LOGS=5\n", "", "REDIS_DB_LOGS is '', the catalog says 5"),
        (REDIS_EXAMPLE, "REDIS_DB_LOGS=5", "REDIS_DB_LOGS=5\nREDIS_DB_OLD=7", "REDIS_DB_OLD names no"),
        (CONF, "databases 32", "databases 16", "databases is 16, redis_databases says 32"),
        (CONF, "databases 32", "", "databases is missing"),
        (AGENTS, "  rag-agent:", "  rag2-agent:", "service 'rag2-agent' is no agent"),
        (AGENTS, "  rag-agent:", "  rag2-agent:", "agent 'rag' has no service"),
        (AGENTS, "AGENT_NAME: rag", "AGENT_NAME: npu", "AGENT_NAME of 'rag-agent' is npu"),
        (AGENTS, "REDIS_USERNAME: rag", "REDIS_USERNAME: chat", "REDIS_USERNAME of 'rag-agent' is chat"),
        (AGENTS, "${AUTOBOT_BIND_ADDRESS:-127.0.0.1}:${AUTOBOT_RAG", "${AUTOBOT_RAG", "ports of 'rag-agent'"),
        (AGENTS, "service: agent-without-egress", "service: agent-with-egress", "pattern of 'chat-agent'"),
        (AGENTS, "      - {source: redis_data_keys, target: data_keys}\n", "", "secrets of 'chat-agent'"),
        (AGENTS, "POSTGRES_USER: knowledge", "POSTGRES_USER: postgres", "POSTGRES_USER of 'knowledge-agent'"),
        (BASE, "postgres_knowledge_password, ", "", "secret 'postgres_knowledge_password' is missing"),
        (BASE, "[postgres_superuser_password", "[redis_ca, postgres_superuser_password", "secret 'redis_ca'"),
        ("config/agents.yaml", "layer: ai", "layer: web", "the image of 'chat' stands on 'ai'"),
    ],
)  # fmt: skip
def test_says_what_disagrees(project: Path, file: str, old: str, new: str, said: str) -> None:
    replace(project / file, old, new)
    found = [problem for problem in problems_of(project) if said in problem.message]
    assert len(found) == 1
    assert found[0].fix
    assert found[0].place.partition(":")[0] in {file, "docker-bake.hcl"}


def test_a_problem_names_the_line(project: Path) -> None:
    lines = (project / REDIS_EXAMPLE).read_text().splitlines()
    replace(project / REDIS_EXAMPLE, "REDIS_DB_LOGS=5", "REDIS_DB_LOGS=6")
    (problem,) = problems_of(project)
    assert problem.place == f"{REDIS_EXAMPLE}:{lines.index('REDIS_DB_LOGS=5') + 1}"


@pytest.fixture
def prepared(project: Path) -> Path:
    """The same after `inv config.init`: environment files, secrets, certificates, Redis' users."""
    stack = stack_of(project)
    apply_files(stack, observe_files(stack, {"AUTOBOT_PROJECT": stack.settings.project}))
    return project


def test_what_was_made_agrees_with_its_sources(prepared: Path) -> None:
    comparisons = compare_derived(stack_of(prepared))
    assert {each.verdict for each in comparisons} == {"ok"}
    assert {f"docker/env/{name}.env" for name in ("common", "redis", "agents")} < {
        each.derived for each in comparisons
    }


def test_a_variable_that_the_example_has_is_missed(prepared: Path) -> None:
    replace(prepared / "docker/env/redis.env", "REDIS_HOST=redis\n", "")
    (problem,) = problems_of(prepared)
    assert str(problem).startswith("docker/env/redis.env: REDIS_HOST is missing")


def test_a_local_file_with_another_number_is_named(prepared: Path) -> None:
    replace(prepared / "docker/env/redis.env", "REDIS_DB_MAIN=0", "REDIS_DB_MAIN=1")
    (problem,) = problems_of(prepared)
    assert "REDIS_DB_MAIN is '1', the catalog says 0" in problem.message


def test_users_that_are_not_the_catalogs_are_seen(prepared: Path) -> None:
    folder = stack_of(prepared).settings.secrets_dir
    (folder / ACL_FILE).chmod(0o600)
    (folder / ACL_FILE).write_text("user default on nopass ~* +@all\n")
    (problem,) = problems_of(prepared)
    assert problem.place == f".autobot/autobot/secrets/{ACL_FILE}"
    assert "inv up" in problem.fix


def test_an_interrupted_rotation_is_seen(prepared: Path) -> None:
    folder = stack_of(prepared).settings.secrets_dir
    (folder / f"redis_chat_password{NEXT}").write_text("other")
    (problem,) = [each for each in problems_of(prepared) if each.place.endswith("redis_chat_password")]
    assert "inv secrets.rotate" in problem.fix


def test_certificates_are_due_before_they_end(prepared: Path) -> None:
    stack, now = stack_of(prepared), datetime.now(UTC)
    assert not list(check_certificates(stack, now))
    assert list(check_certificates(stack, now + timedelta(days=365 * 30)))
