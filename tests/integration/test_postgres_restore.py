"""PostgreSQL of the live stack: restored under the knowledge agent, and left alone where that can't be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import httpx
import pytest

from autobot_ops.adapters.process import CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.postgres import dump_database
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.isolation.secrets import secrets_group
from autobot_ops.restore.postgres import NotEnoughDisk, PostgresRestore, clear_staged
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.postgres_restore import open_restore, replace_database, undo_replacement
from tests.chunks import Chunks
from tests.integration.conftest import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("own_stack")

SMALL_DISK = "size=225m,uid=10003,gid=10003,mode=0700"
SECRETS = ("postgres_superuser_password", "postgres_knowledge_password", "postgres_server_certificate")
NOTHING_TOO_MUCH = "SELECT count(*) FROM pg_database WHERE datname LIKE 'autobot_%'"


@pytest.fixture
def agent(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url("knowledge", ""), timeout=30) as client:
        yield client


def dump(runner: Runner) -> tuple[list[bytes], PostgresContent]:
    chunks = Chunks()
    return chunks, dump_database(runner, "autobot", chunks)


def add(agent: httpx.Client, title: str, content: str) -> int:
    answer = agent.post("/knowledge/entries", json={"title": title, "content": content})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def found(agent: httpx.Client, query: str) -> list[int]:
    return [hit["id"] for hit in agent.get("/knowledge/search", params={"q": query}).json()["hits"]]


def test_a_deleted_entry_is_found_again_after_a_restore(stack: Stack, agent: httpx.Client) -> None:
    lighthouse = add(agent, "Lighthouses", "A fresnel lens bundles the light of the lamp.")
    chunks, content = dump(runner_inside(stack.opened, "postgres"))
    assert agent.delete(f"/knowledge/entries/{lighthouse}").status_code == 204
    later = add(agent, "Later", "Written behind the dump: zeppelin.")
    restore = open_restore(stack.opened, "autobot", "live")
    replace_database(stack.opened, restore, chunks, content, on_change=lambda *_: None)
    try:
        # With no waiting: the agent was well when the restore was done.
        assert found(agent, "fresnel") == [lighthouse]
        assert found(agent, "zeppelin") == []
        assert agent.get("/health/knowledge").json()["status"] == "pass"
        wait_until(
            lambda: bool(agent.get(f"/knowledge/entries/{lighthouse}").json()["mirrored"]),
            "Redis follows",
            60,
        )
    finally:
        undo_replacement(stack.opened, restore, on_change=lambda *_: None)
    assert found(agent, "zeppelin") == [later]
    assert agent.get(f"/knowledge/entries/{lighthouse}").status_code == 404


def test_the_agent_reconnects_by_itself(stack: Stack, agent: httpx.Client) -> None:
    entry = add(agent, "Lens", "Glass that bends light.")
    chunks, content = dump(runner_inside(stack.opened, "postgres"))
    restore = open_restore(stack.opened, "autobot", "live")
    restore.stage(chunks, content)
    restore.exchange()
    try:
        assert agent.get(f"/knowledge/entries/{entry}").status_code == 200
        assert agent.get("/readyz").status_code == 200
    finally:
        restore.commit()


@pytest.fixture
def small_server(stack: Stack) -> Iterator[Runner]:
    """A PostgreSQL of the stack's image whose volume is a small tmpfs."""
    name = f"{stack.project}-small-postgres"
    # One by one: nobody but the owner may pass through their folder.
    secrets = [f"--volume={stack.secrets_dir / each}:/run/secrets/{each}:ro" for each in SECRETS]
    subprocess.run(
        [
            "docker", "run", "--detach", "--name", name, "--network", "none", "--user", "10003:10003",
            "--group-add", str(secrets_group()), *secrets,
            "--tmpfs", f"/var/lib/postgresql/data:{SMALL_DISK}", "--tmpfs", f"/run/postgresql:{SMALL_DISK}",
            stack.container("postgres").attrs["Config"]["Image"], "postgres", "-c", "max_wal_size=32MB",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    try:
        runner = Runner(("docker", "exec", "--interactive", name))
        wait_until(lambda: is_ready(runner), "the small PostgreSQL answers", 60)
        yield runner
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True)


def is_ready(runner: Runner) -> bool:
    try:
        runner.query("pg_isready", "--host", "127.0.0.1", "--dbname", "autobot")
    except CommandFailed:
        return False
    return True


def sql(runner: Runner, *statements: str) -> str:
    return runner.query(
        "psql", "--no-psqlrc", "-At", "--dbname=autobot", *(f"--command={each}" for each in statements)
    )


def test_a_disk_that_is_too_small_is_refused_before_anything_is_loaded(small_server: Runner) -> None:
    sql(
        small_server,
        "CREATE TABLE knowledge.filling AS SELECT n, md5(n::text) AS text"
        " FROM generate_series(1, 900000) AS n",
    )
    chunks, content = dump(small_server)
    restore = PostgresRestore(small_server, "autobot", "full")
    with pytest.raises(NotEnoughDisk):
        restore.stage(chunks, content)
    assert clear_staged(small_server, "autobot") == []
    left = sql(small_server, "SELECT count(*) FROM knowledge.filling", NOTHING_TOO_MUCH)
    assert left.split() == ["900000", "0"]
