"""What an agent's container tells it: environment, mounted catalogs and secret files.

Read once at start; the only part that changes at run time, passwords, is read when it is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from src.errors import ConfigurationInvalid, nearest_match_hint
from src.utils.redis_settings import DEFAULT_CATALOG, read_yaml_mapping

Right = Literal["read", "write", "read-write"]


class PostgresSettings(BaseModel):
    """Where PostgreSQL is. The files are read at each new connection; with `ca_file` it must speak TLS."""

    model_config = ConfigDict(frozen=True)

    host: str = "postgres"
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = "autobot"
    user: str = "knowledge"
    password_file: Path | None = None
    ca_file: Path | None = None

    def read_password(self) -> str | None:
        """The password, or None where no file is configured (peer or trust authentication)."""
        if self.password_file is None:
            return None
        return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")


class AgentSettings(BaseModel):
    """One agent's settings. Sizes are bytes, times are seconds."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str = ""
    capabilities: tuple[str, ...] = ()
    granted_databases: dict[str, Right] = Field(default_factory=dict)
    postgres: PostgresSettings | None = None
    version: str = "0.0.0"
    host: str = "0.0.0.0"  # noqa: S104 - inside a container; the host publishes on loopback only
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data_dir: Path = Path("/app/data")
    log_dir: Path = Path("/app/logs")
    shutdown_grace_seconds: int = Field(default=20, ge=0, le=3600)
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    allow_private_addresses: bool = False


# Environment variable → field, for everything that is taken over as it stands.
_VARIABLES = {
    "AUTOBOT_VERSION": "version",
    "AGENT_HOST": "host",
    "AGENT_PORT": "port",
    "LOG_LEVEL": "log_level",
    "AGENT_DATA_DIR": "data_dir",
    "AGENT_LOG_DIR": "log_dir",
    "SHUTDOWN_GRACE_SECONDS": "shutdown_grace_seconds",
    "AGENT_MAX_BODY_BYTES": "max_body_bytes",
    "RESEARCH_ALLOW_PRIVATE": "allow_private_addresses",
}
_POSTGRES_VARIABLES = {
    "POSTGRES_HOST": "host",
    "POSTGRES_PORT": "port",
    "POSTGRES_DB": "database",
    "POSTGRES_USER": "user",
    "POSTGRES_PASSWORD_FILE": "password_file",
    "POSTGRES_CA_FILE": "ca_file",
}


def agents_file(environment: Mapping[str, str] | None = None) -> Path:
    """Where the catalog of agents is: `AGENTS_FILE`, by default config/agents.yaml."""
    values = os.environ if environment is None else environment
    return Path(values.get("AGENTS_FILE") or DEFAULT_CATALOG.with_name("agents.yaml"))


def load_agent_settings(environment: Mapping[str, str] | None = None) -> AgentSettings:
    """Settings of the agent that `AGENT_NAME` names. Raises `ConfigurationInvalid`.

    Its rights on databases come from `AGENTS_FILE`, by default config/agents.yaml.
    """
    values = os.environ if environment is None else environment
    path = agents_file(values)
    agents = read_yaml_mapping(path, "agents")
    name = values.get("AGENT_NAME", "")
    if name not in agents:
        raise ConfigurationInvalid(
            f"AGENT_NAME is {name!r}, which {path} doesn't know", hint=nearest_match_hint(name, agents)
        )
    row = agents[name]
    fields = {field: values[variable] for variable, field in _VARIABLES.items() if values.get(variable)}
    postgres = {f: values[variable] for variable, f in _POSTGRES_VARIABLES.items() if values.get(variable)}
    try:
        return AgentSettings.model_validate(
            fields
            | {
                "name": name,
                "log_level": fields.get("log_level", "INFO").upper(),
                "description": row.get("description", ""),
                "capabilities": row.get("capabilities", []),
                "granted_databases": row.get("databases", {}),
                "postgres": postgres if row.get("postgres") else None,
            }
        )
    except ValidationError as error:
        raise ConfigurationInvalid(
            f"settings of agent '{name}' are wrong: {_in_words(error)}",
            hint=f"Correct the container's environment or {path}.",
        ) from error


def _in_words(error: ValidationError) -> str:
    variables = {field: variable for variable, field in _VARIABLES.items()}
    parts = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{variables.get(field, field)}: {problem['msg']} (got {problem['input']!r})")
    return "; ".join(parts)
