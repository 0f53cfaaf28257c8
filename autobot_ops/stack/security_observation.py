"""Look at a running stack for the checks of autobot_ops/security: each thing once, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import redis

from autobot_ops.adapters import containers
from autobot_ops.adapters.container_view import NotExecutable, engine_document, run_script, view
from autobot_ops.adapters.postgres_session import run_script as run_sql
from autobot_ops.adapters.redis_server import answering, dialer
from autobot_ops.audit.results import load_audits
from autobot_ops.catalog import Catalogs
from autobot_ops.errors import ConfigurationError, ExternalCommandFailed, ServiceUnreachable
from autobot_ops.isolation.canonical import split_user
from autobot_ops.isolation.secrets import read_secret
from autobot_ops.isolation.users import list_users, load_command_table
from autobot_ops.security.dangerous_commands import DANGEROUS
from autobot_ops.security.facts import (
    Container,
    Inside,
    PostgresLogins,
    RedisUsers,
    Role,
    StackFacts,
    Unseen,
)
from autobot_ops.security.inside import AS_ITSELF, AS_ROOT, IncompleteLook, parse_inside
from autobot_ops.security.postgres_logins import QUESTION, parse_logins
from autobot_ops.security.redis_users import UnclearAnswer, parse_users
from autobot_ops.stack.health import parse_container
from autobot_ops.stack.inside import runner_inside
from autobot_ops.stack.stack import DATA_SERVICES, Stack

POSTGRES_DATABASE = "autobot"
ROOT_USER = "0:0"
SHORTEST_SECRET = 8
"""What is shorter would be found everywhere by chance."""

Seen = TypeVar("Seen")


def observe_security(stack: Stack) -> StackFacts:
    """Every container of the project, its Redis and its PostgreSQL.

    What can't be looked at is Unseen, with the reason. Raises DaemonUnreachable, and SecretUnreadable: a
    secret that isn't known can't be looked for.
    """
    found: dict[str, Container] = {}
    for document in containers.inspect_project(stack.client, stack.settings.project):
        state = parse_container(document)
        if state is not None:
            # A second container of a service stands under its own name instead of hiding the first.
            name = state.name if state.service in found else state.service
            found[name] = observe_container(stack, document)
    ordered = sorted(found, key=(*stack.service_names, *sorted(found)).index)
    return StackFacts(
        containers={service: found[service] for service in ordered},
        engine=engine_document(stack.client),
        agents=frozenset(stack.catalogs.agents),
        secrets=_secrets(stack),
        redis=observe_redis(stack),
        postgres=observe_postgres(stack),
        audits=load_audits(stack.settings.root),
    )


def observe_container(stack: Stack, document: Mapping[str, Any]) -> Container:
    """One container whose `docker inspect` document is given; it needn't be one of the catalogs."""
    labels = document["Config"].get("Labels") or {}
    service = labels.get(containers.SERVICE_LABEL, document["Name"].removeprefix("/"))
    seen = view(stack.client, document)
    return Container(
        service=service,
        role=role_of(service, stack.catalogs),
        inspect=document,
        image=seen.image,
        history=seen.history,
        networks=seen.networks,
        inside=_inside(stack, document),
    )


def observe_redis(stack: Stack) -> RedisUsers | Unseen:
    """Who may do what on the stack's Redis."""

    def look() -> RedisUsers:
        with answering(dialer(stack, "operator")) as client:
            lines, table = list_users(client), load_command_table(client)
            agents = stack.catalogs.agents.keys() & {split_user(line)[0] for line in lines}
            return parse_users(lines, table, {agent: _dry_runs(client, agent) for agent in sorted(agents)})

    try:
        return _seen(look)
    except UnclearAnswer as error:
        return Unseen(f"redis doesn't say {error}")


def observe_postgres(stack: Stack) -> PostgresLogins | Unseen:
    """How one logs in to the stack's PostgreSQL."""
    runner = runner_inside(stack, "postgres")
    return _seen(lambda: parse_logins(run_sql(runner, POSTGRES_DATABASE, QUESTION)))


def role_of(service: str, catalogs: Catalogs) -> Role:
    """What the catalogs say of a service; nothing for one that they don't know. Pure."""
    agent = service.removesuffix("-agent")
    if service.endswith("-agent") and agent in catalogs.agents:
        row = catalogs.agents[agent]
        return Role(agent=agent, egress=row.egress, postgres=row.postgres)
    return Role(stores_data=service in DATA_SERVICES)


def _inside(stack: Stack, document: Mapping[str, Any]) -> Inside | Unseen:
    container_id, status = document["Id"], document["State"]["Status"]
    if status != "running":
        return Unseen(f"it is {status}")
    try:
        own = run_script(stack.client, container_id, AS_ITSELF)
        roots = run_script(stack.client, container_id, AS_ROOT, user=ROOT_USER)
        return parse_inside(own, roots)
    except NotExecutable as error:
        return Unseen(error.message)
    except IncompleteLook as error:
        return Unseen(f"it can't be looked into: {error}")


def _seen(look: Callable[[], Seen]) -> Seen | Unseen:
    try:
        return look()
    except (ServiceUnreachable, ExternalCommandFailed, ConfigurationError) as error:
        return Unseen(error.message)


def _dry_runs(client: redis.Redis, user: str) -> dict[str, str]:
    """The server's answer for each dangerous command, none of which is run."""
    pipeline = client.pipeline(transaction=False)
    for command in DANGEROUS:
        pipeline.execute_command("ACL", "DRYRUN", user, *command)  # type: ignore[no-untyped-call]
    answers = pipeline.execute(raise_on_error=False)
    return {
        " ".join(command): answer.decode() if isinstance(answer, bytes) else str(answer)
        for command, answer in zip(DANGEROUS, answers, strict=True)
    }


def _secrets(stack: Stack) -> dict[str, str]:
    """Of each secret file the longest line: of a key in several lines, one is enough to give it away."""
    folder = stack.settings.secrets_dir
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        longest = max(read_secret(folder, path.name).split("\n"), key=len).strip()
        if len(longest) >= SHORTEST_SECRET:
            found[path.name] = longest
    return found
