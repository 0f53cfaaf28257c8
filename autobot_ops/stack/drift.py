"""Compare what is derived from the catalogs with the catalogs. Reads files, changes nothing.

Each `check_*` yields the problems of one derived thing; `compare_derived` runs them all. The
catalogs themselves are valid when this is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autobot_ops.catalog import Agent, Catalogs
from autobot_ops.catalog.models import AgentLayer
from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.isolation.data_keys import DATA_KEYS_SECRET
from autobot_ops.isolation.rotating_secret import being_rotated
from autobot_ops.isolation.secrets import agents_with_encryption
from autobot_ops.isolation.tls_files import (
    AUTHORITY,
    SERVERS,
    authority_ends,
    plan_certificates,
    read_tls_files,
)
from autobot_ops.settings import Settings
from autobot_ops.stack.image_graph import IMAGES
from autobot_ops.stack.prepare import render_users
from autobot_ops.stack.stack import Stack
from autobot_ops.validation import Problem
from autobot_ops.yaml_source import YamlSource, load_yaml

AGENTS_COMPOSE = "compose/agents.yml"
BASE_COMPOSE = "compose/base.yml"
REDIS_CONF = "docker/redis/redis.conf"
IMAGE_GRAPH = "docker-bake.hcl"
LAYER_TARGETS = {AgentLayer.BASE: "python-agent-base", AgentLayer.AI: "ai", AgentLayer.WEB: "web"}
ENVIRONMENT_FILES = ("common", "redis", "agents")


@dataclass(frozen=True)
class Comparison:
    """One derived thing, what it comes from, and where the two disagree."""

    derived: str
    source: str
    problems: tuple[Problem, ...]

    @property
    def verdict(self) -> str:
        """The comparison's outcome in a word or two."""
        return f"{len(self.problems)} problem(s)" if self.problems else "ok"


def compare_derived(stack: Stack) -> list[Comparison]:
    """Every derived thing of this project's folder, compared with its source."""
    settings, catalogs, root = stack.settings, stack.catalogs, stack.settings.root
    agents_compose = load_yaml(root / AGENTS_COMPOSE, name=AGENTS_COMPOSE)
    base_compose = load_yaml(root / BASE_COMPOSE, name=BASE_COMPOSE)
    redis_environment = "docker/env/redis.env.example"
    found = [
        (
            redis_environment,
            "redis-databases.yaml",
            check_database_numbers(root, redis_environment, catalogs),
        ),
        (AGENTS_COMPOSE, "agents.yaml", check_agent_services(agents_compose, catalogs)),
        (BASE_COMPOSE, "agents.yaml", check_postgres_roles(base_compose, catalogs)),
        (REDIS_CONF, "stack.yaml", check_redis_databases(root, settings)),
        (IMAGE_GRAPH, "agents.yaml", check_image_layers(catalogs)),
        (ACL_FILE, "agents.yaml, redis-databases.yaml", check_redis_users(stack)),
        ("certificates", "this project's authority", check_certificates(stack, datetime.now(UTC))),
        ("rotations", "secrets", check_rotations(stack)),
    ]
    for name in ENVIRONMENT_FILES:
        local, example = f"docker/env/{name}.env", f"docker/env/{name}.env.example"
        if (root / local).exists():
            found.append((local, example, check_local_environment(root, local, example)))
            if name == "redis":
                found.append((local, "redis-databases.yaml", check_database_numbers(root, local, catalogs)))
    return [Comparison(derived, source, tuple(problems)) for derived, source, problems in found]


def parse_environment(path: Path) -> dict[str, tuple[int, str]]:
    """Variables of an env file with their lines: name → (line, value). Comments and blanks are skipped."""
    variables: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith("#"):
            variables[name.strip()] = (number, value.strip())
    return variables


def check_database_numbers(root: Path, file: str, catalogs: Catalogs) -> Iterator[Problem]:
    """`REDIS_DB_<NAME>` for exactly the catalog's databases, with the catalog's numbers."""
    variables = parse_environment(root / file)
    expected = {f"REDIS_DB_{name.upper()}": row.number for name, row in catalogs.databases.items()}
    for name, number in expected.items():
        line, value = variables.get(name, (1, ""))
        if value != str(number):
            yield Problem(
                f"{file}:{line}", f"{name} is '{value}', the catalog says {number}", f"Set {name}={number}."
            )
    for name, (line, _) in variables.items():
        if name.startswith("REDIS_DB_") and name not in expected:
            yield Problem(f"{file}:{line}", f"{name} names no database of the catalog", "Remove the line.")


def check_local_environment(root: Path, local: str, example: str) -> Iterator[Problem]:
    """A local env file has every variable of its example; a new one would be missing at run time."""
    missing = set(parse_environment(root / example)) - set(parse_environment(root / local))
    for name in sorted(missing):
        yield Problem(local, f"{name} is missing, {example} has it", f"Copy the line from {example}.")


def check_redis_databases(root: Path, settings: Settings) -> Iterator[Problem]:
    """The server's `databases` is the setting of the same meaning."""
    for number, line in enumerate((root / REDIS_CONF).read_text().splitlines(), start=1):
        if match := re.match(r"databases\s+(\d+)", line):
            if int(match[1]) != settings.redis_databases:
                yield Problem(
                    f"{REDIS_CONF}:{number}",
                    f"databases is {match[1]}, redis_databases says {settings.redis_databases}",
                    "Make the two equal.",
                )
            return
    yield Problem(REDIS_CONF, "databases is missing", f"Add a line 'databases {settings.redis_databases}'.")


def check_agent_services(compose: YamlSource, catalogs: Catalogs) -> Iterator[Problem]:
    """One service per agent, with its port, name, networks and secrets."""
    services = compose.data.get("services", {})
    for service_name in sorted(set(services) - {f"{name}-agent" for name in catalogs.agents}):
        place = compose.place(("services", service_name))
        yield Problem(
            place, f"service '{service_name}' is no agent of agents.yaml", "Add the agent or remove it."
        )
    for name, agent in catalogs.agents.items():
        service_name = f"{name}-agent"
        if service_name not in services:
            yield Problem(compose.name, f"agent '{name}' has no service", f"Add a service '{service_name}'.")
            continue
        place = compose.place(("services", service_name))
        encrypted = name in agents_with_encryption(catalogs)
        for what, actual, expected in _service_facts(
            services[service_name], name, agent, encrypted=encrypted
        ):
            if actual != expected:
                yield Problem(
                    place,
                    f"{what} of '{service_name}' is {actual}, the catalogs say {expected}",
                    f"Correct {what}.",
                )


def _service_facts(
    service: Mapping[str, Any], name: str, agent: Agent, *, encrypted: bool
) -> Iterator[tuple[str, object, object]]:
    """(what, actual, expected) for everything of a service that the catalogs decide."""
    environment = service.get("environment", {})
    yield "AGENT_NAME", environment.get("AGENT_NAME"), name
    yield "REDIS_USERNAME", environment.get("REDIS_USERNAME"), name
    expected_port = (
        f"${{AUTOBOT_BIND_ADDRESS:-127.0.0.1}}:${{AUTOBOT_{name.upper()}_PORT:-{agent.port}}}:8000"
    )
    yield "ports", service.get("ports"), [expected_port]
    pattern = service.get("extends", {}).get("service")
    yield "the pattern", pattern, "agent-with-egress" if agent.egress else "agent-without-egress"
    yield "POSTGRES_USER", environment.get("POSTGRES_USER"), name if agent.postgres else None
    secrets = {(each["source"], each["target"]) for each in service.get("secrets", [])}
    expected_secrets = {(f"redis_{name}_password", "redis_password")}
    if agent.postgres:
        expected_secrets.add((f"postgres_{name}_password", "postgres_password"))
    if encrypted:
        expected_secrets.add((DATA_KEYS_SECRET, "data_keys"))
    yield "secrets", sorted(secrets), sorted(expected_secrets)
    yield "dependency on postgres", "postgres" in service.get("depends_on", {}), agent.postgres


def check_postgres_roles(compose: YamlSource, catalogs: Catalogs) -> Iterator[Problem]:
    """PostgreSQL gets a role's password for exactly the agents that have a role."""
    service = compose.data.get("services", {}).get("postgres", {})
    expected = {f"postgres_{name}_password" for name, agent in catalogs.agents.items() if agent.postgres}
    actual = set(service.get("secrets", [])) - {"postgres_superuser_password", SERVERS["postgres"]}
    place = compose.place(("services", "postgres", "secrets"))
    for name in sorted(expected - actual):
        yield Problem(place, f"secret '{name}' is missing", "Add it to the secrets of postgres.")
    for name in sorted(actual - expected):
        yield Problem(place, f"secret '{name}' belongs to no agent with postgres", "Remove it.")


def check_image_layers(catalogs: Catalogs) -> Iterator[Problem]:
    """Every agent has an image, and it stands on the layer that agents.yaml says."""
    for name, agent in catalogs.agents.items():
        image = IMAGES.get(name)
        expected = LAYER_TARGETS[agent.layer]
        if image is None:
            yield Problem(IMAGE_GRAPH, f"agent '{name}' has no image", f"Add a target '{name}'.")
        elif image.parent != expected:
            yield Problem(
                IMAGE_GRAPH,
                f"the image of '{name}' stands on '{image.parent}', agents.yaml says '{agent.layer}'",
                f"Build it from '{expected}', or correct the layer.",
            )


def check_redis_users(stack: Stack) -> Iterator[Problem]:
    """The rendered users of Redis are those of the catalogs; nothing to compare before the first start."""
    path = stack.settings.secrets_dir / ACL_FILE
    if path.exists() and path.read_text() != render_users(stack):
        yield Problem(
            _shown(stack, ACL_FILE),
            "the users of Redis differ from the catalogs",
            "Run inv up, which writes and loads them.",
        )


def check_certificates(stack: Stack, now: datetime) -> Iterator[Problem]:
    """No certificate is about to end; nothing to look at before the first start."""
    folder = stack.settings.secrets_dir
    if not (folder / AUTHORITY).exists():
        return
    files = read_tls_files(folder)
    for name, cause in plan_certificates(files, stack.settings.project, now).items():
        yield Problem(_shown(stack, name), cause, "Run inv up, which makes it and has it loaded.")
    if (ends := authority_ends(files, now)) is not None:
        yield Problem(
            _shown(stack, AUTHORITY), f"it ends on {ends:%Y-%m-%d}", "Run inv secrets.rotate authority."
        )


def check_rotations(stack: Stack) -> Iterator[Problem]:
    """No rotation was interrupted: as long as it is, old and new secrets hold."""
    for name in being_rotated(stack.settings.secrets_dir):
        yield Problem(
            _shown(stack, name),
            "it is being rotated, or its rotation was interrupted",
            "Repeat the inv secrets.rotate that was interrupted: it goes on from there.",
        )


def _shown(stack: Stack, name: str) -> str:
    path, root = stack.settings.secrets_dir / name, stack.settings.root
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
