"""The stack's settings, and where each value came from: default, file or environment.

Reads `config/stack.yaml` and the environment it is given; it looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autobot_ops.validation import InvalidConfiguration, Problem, nearest, problems_of
from autobot_ops.yaml_source import YamlSource, load_yaml

STACK_FILE = "config/stack.yaml"
ENVIRONMENT_PREFIX = "AUTOBOT_"

# Variables with the prefix that are no settings: they are derived for Compose, or steer the tool itself.
NOT_SETTINGS = (
    "AUTOBOT_DEBUG",
    "AUTOBOT_VERSION",
    "AUTOBOT_ENV_SUFFIX",
    "AUTOBOT_SECRETS_GID",
    "AUTOBOT_SECRETS_DIR",
)
NOT_SETTINGS_ENDINGS = ("_IMAGE", "_PORT")


class Settings(BaseModel):
    """Everything of `config/stack.yaml`; the descriptions are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path = Field(description="the project's folder; every other path starts there")
    project: str = Field(
        "autobot",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$",
        description="container, network and volume names start with it",
    )
    port_offset: int = Field(
        0, ge=0, le=50000, description="added to every port of agents.yaml: a second stack on one host"
    )
    bind_address: str = Field("127.0.0.1", description="address where ports are published")
    image_namespace: str = Field(
        "autobot", pattern=r"^[a-z0-9][a-z0-9._/-]*$", description="images are NAMESPACE/NAME:CONTENT-TAG"
    )
    root_image: str = Field("debian:bookworm-slim", min_length=1, description="what every image starts from")
    torch_index: str = Field("", description="index of torch's CPU builds, where pip has no wheel folder")
    state_dir: Path = Field(Path(".autobot"), description="secrets and local state, one folder per project")
    backup_dir: Path = Field(Path("backups"), description="where archives are kept, one folder per project")
    backup_bucket: str = Field(
        "",
        pattern=r"^(s3://[^\s/]+(/\S*)?)?$",
        description="S3 bucket where archives are kept too (s3://BUCKET/PREFIX)",
    )
    backup_recipients: str = Field(
        "",
        description="further recipients of age (age1…, blank-separated) that can open archives",
    )
    backup_encryption: Literal["all", "required"] = Field(
        "all", description="what is encrypted in archives: all, or what a security level requires"
    )
    registry_timeout: int = Field(15, ge=1, le=600, description="seconds to wait for a registry's answer")
    up_timeout: int = Field(240, ge=5, le=3600, description="seconds until every service must be healthy")
    stop_timeout: int = Field(30, ge=1, le=600, description="seconds a container has to stop gracefully")
    redis_databases: int = Field(
        32, ge=16, le=1024, description="databases of the Redis server; those above 15 are for staging"
    )
    research_allow_private: bool = Field(
        False,
        description="whether the research agent may fetch from an intranet's addresses",
    )

    @property
    def project_state_dir(self) -> Path:
        """This project's own folder below the state folder, absolute."""
        return self.root / self.state_dir / self.project

    @property
    def secrets_dir(self) -> Path:
        """Where this project's secret files are, absolute."""
        return self.project_state_dir / "secrets"

    @property
    def archives_dir(self) -> Path:
        """Where this project's archives are, absolute."""
        return self.root / self.backup_dir / self.project


@dataclass(frozen=True)
class ResolvedSettings:
    """Settings, and for each field where its value came from (`default`, `file:line` or a variable)."""

    settings: Settings
    origins: Mapping[str, str]


def environment_name(field: str) -> str:
    """The variable that overrides a setting: `port_offset` → `AUTOBOT_PORT_OFFSET`."""
    return ENVIRONMENT_PREFIX + field.upper()


def overriding_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that override settings now: another process needs them to see the same stack."""
    names = map(environment_name, setting_fields())
    return {name: environ[name] for name in names if name in environ}


def setting_fields() -> list[str]:
    """Names of the settings in the file's order."""
    return [field for field in Settings.model_fields if field != "root"]


def resolve_settings(root: Path, environ: Mapping[str, str]) -> ResolvedSettings:
    """Defaults, overlaid by config/stack.yaml, overlaid by AUTOBOT_* variables.

    Raises InvalidConfiguration, naming the line or the variable. A misspelt AUTOBOT_ variable is
    refused too: silently ignoring it would start the wrong stack.
    """
    source = load_yaml(root / STACK_FILE, name=STACK_FILE)
    fields = setting_fields()
    overrides = {
        field: environ[environment_name(field)] for field in fields if environment_name(field) in environ
    }
    problems = _unknown_variables(environ, fields)
    if "root" in source.data:
        problems.append(Problem(source.place(("root",)), "unknown field 'root'", nearest("root", fields)))
    if problems:
        raise InvalidConfiguration(problems)
    try:
        settings = Settings.model_validate({**source.data, **overrides, "root": root})
    except ValidationError as error:
        raise InvalidConfiguration(_with_variables(error, source, overrides)) from error
    origins = {
        field: environment_name(field)
        if field in overrides
        else (source.place((field,)) if field in source.data else "default")
        for field in fields
    }
    return ResolvedSettings(settings, origins)


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """The settings alone; see resolve_settings."""
    return resolve_settings(root, environ).settings


def _unknown_variables(environ: Mapping[str, str], fields: list[str]) -> list[Problem]:
    known = {environment_name(field) for field in fields} | set(NOT_SETTINGS)
    return [
        Problem("environment", f"unknown variable {name}", nearest(name, known))
        for name in sorted(environ)
        if name.startswith(ENVIRONMENT_PREFIX)
        and name not in known
        and not name.endswith(NOT_SETTINGS_ENDINGS)
    ]


def _with_variables(
    error: ValidationError, source: YamlSource, overrides: Mapping[str, str]
) -> list[Problem]:
    """Pydantic's findings, with the variable's name as the place where a variable set the value."""
    found = problems_of(error, Settings, source)
    places = [
        environment_name(str(d["loc"][0])) if d["loc"] and d["loc"][0] in overrides else ""
        for d in error.errors()
    ]
    return [
        Problem(variable, problem.message, f"Correct or unset {variable}.") if variable else problem
        for problem, variable in zip(found, places, strict=True)
    ]
