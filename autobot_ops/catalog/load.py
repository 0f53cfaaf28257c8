"""Read and check the catalogs. What it returns is valid as a whole; otherwise it raises."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from autobot_ops.catalog.models import Agent, AgentCatalog, Database, DatabaseCatalog, SecurityLevel, Tier
from autobot_ops.catalog.rules import agent_problems, database_problems
from autobot_ops.validation import InvalidConfiguration, Problem, nearest, problems_of
from autobot_ops.yaml_source import YamlSource, load_yaml

DATABASES_FILE = "config/redis-databases.yaml"
AGENTS_FILE = "config/agents.yaml"

Model = TypeVar("Model", bound=BaseModel)


class UnknownName(InvalidConfiguration):
    """A database, tier or agent that the catalogs don't have."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__([Problem(kind, f"unknown {kind} '{name}'", nearest(name, known))])
        self.message = f"unknown {kind} '{name}'"
        self.args = (self.message,)


@dataclass(frozen=True)
class Catalogs:
    """Both catalogs, checked against each other. `digest` identifies their exact text."""

    databases: Mapping[str, Database]
    tiers: Mapping[str, Tier]
    security_levels: Mapping[str, SecurityLevel]
    agents: Mapping[str, Agent]
    digest: str

    def database(self, name: str) -> Database:
        """A database by name; raises UnknownName with the nearest one."""
        try:
            return self.databases[name]
        except KeyError:
            raise UnknownName("database", name, self.databases) from None

    def agent(self, name: str) -> Agent:
        """An agent by name; raises UnknownName with the nearest one."""
        try:
            return self.agents[name]
        except KeyError:
            raise UnknownName("agent", name, self.agents) from None


def load_catalogs(root: Path, *, server_databases: int = 32) -> Catalogs:
    """Both catalogs of a project folder. `server_databases` is the `databases` setting of Redis.

    Raises InvalidConfiguration with every problem of both files.
    """
    databases_source = load_yaml(root / DATABASES_FILE, name=DATABASES_FILE)
    agents_source = load_yaml(root / AGENTS_FILE, name=AGENTS_FILE)
    problems: list[Problem] = []
    database_catalog = _parse(DatabaseCatalog, databases_source, problems)
    agent_catalog = _parse(AgentCatalog, agents_source, problems)
    if database_catalog is not None:
        problems += database_problems(database_catalog, databases_source.place, server_databases)
        if agent_catalog is not None:
            problems += agent_problems(agent_catalog, database_catalog.databases, agents_source.place)
    if problems or database_catalog is None or agent_catalog is None:
        raise InvalidConfiguration(problems)
    text = b"".join((root / name).read_bytes() for name in (DATABASES_FILE, AGENTS_FILE))
    return Catalogs(
        databases=database_catalog.databases,
        tiers=database_catalog.tiers,
        security_levels=database_catalog.security_levels,
        agents=agent_catalog.agents,
        digest=hashlib.sha256(text).hexdigest(),
    )


def _parse(model: type[Model], source: YamlSource, problems: list[Problem]) -> Model | None:
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        problems += problems_of(error, model, source)
        return None
