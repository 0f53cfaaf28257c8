"""PostgreSQL of the live stack: each service's role has its own schema and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
import testinfra
from testinfra.backend.base import CommandResult

from tests.integration.conftest import Stack

REFUSALS = ("permission denied", "must be superuser")


def psql(stack: Stack, role: str, statements: str) -> CommandResult:
    """Run statements as the superuser, or as a service's role with its password over the network."""
    password, where = "", "user=postgres dbname=autobot"
    if role != "postgres":
        password = f"PGPASSWORD=$(cat /run/secrets/postgres_{role}_password) "
        where = f"host=127.0.0.1 user={role} dbname=autobot"
    inside = testinfra.get_host(f"docker://{stack.project}-postgres")
    command = shlex.join(["psql", "-qtA", "-v", "ON_ERROR_STOP=1", where, "-c", statements])
    return inside.run(f"{password}{command}")


@pytest.fixture
def foreign_schema(own_stack: Stack) -> Iterator[None]:
    """A schema of another service, beside that of knowledge."""
    planted = psql(
        own_stack,
        "postgres",
        "CREATE SCHEMA foreign_service; CREATE TABLE foreign_service.secrets (word text);"
        "INSERT INTO foreign_service.secrets VALUES ('theirs')",
    )
    assert planted.rc == 0, planted.stderr
    yield
    psql(own_stack, "postgres", "DROP SCHEMA foreign_service CASCADE")


@pytest.mark.obligation(12)
@pytest.mark.usefixtures("own_stack")
def test_a_role_works_in_its_own_schema(stack: Stack, role_name: str) -> None:
    statements = (
        "CREATE TABLE planted (word text); INSERT INTO planted VALUES ('ours'); SELECT word FROM planted;"
        " SELECT schemaname FROM pg_tables WHERE tablename = 'planted'; DROP TABLE planted"
    )
    assert psql(stack, role_name, statements).stdout.split() == ["ours", role_name]


@pytest.mark.obligation(12)
@pytest.mark.usefixtures("foreign_schema")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT word FROM foreign_service.secrets",
        "INSERT INTO foreign_service.secrets VALUES ('ours')",
        "DROP TABLE foreign_service.secrets",
        "CREATE TABLE foreign_service.planted ()",
        "CREATE TABLE public.planted ()",
        "CREATE SCHEMA planted",
        "CREATE ROLE planted",
        "SET ROLE postgres",
        "SET ROLE pg_read_all_data",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_a_role_is_refused_what_belongs_to_others(stack: Stack, role_name: str, statement: str) -> None:
    assert psql(stack, "postgres", "SELECT word FROM foreign_service.secrets").stdout == "theirs\n"
    answer = psql(stack, role_name, statement)
    assert answer.rc != 0, answer.stdout
    assert any(words in answer.stderr for words in REFUSALS), answer.stderr


@pytest.mark.obligation(12)
def test_a_role_that_may_log_in_belongs_to_one_service_and_is_nothing_more(stack: Stack) -> None:
    """Every role but the superuser: a service of the catalog, with no attribute and no other membership."""
    listed = psql(
        stack,
        "postgres",
        "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,"
        " ARRAY(SELECT roleid::regrole FROM pg_auth_members WHERE member = pg_roles.oid)"
        " FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres' ORDER BY rolname",
    )
    services = sorted(name for name, agent in stack.catalogs.agents.items() if agent.postgres)
    assert listed.stdout.splitlines() == [f"{name}|f|{{autobot_services}}" for name in services]
