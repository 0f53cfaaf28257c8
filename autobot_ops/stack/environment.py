"""What Compose needs to know, derived from settings, catalogs and images; and the environment files.

The derivations are pure; `write_*` and `copy_*` are the only functions that touch the disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from autobot_ops.catalog import Catalogs
from autobot_ops.errors import ConfigurationError
from autobot_ops.settings import Settings

DOTENV = ".env"
"""Read by plain `docker compose` beside docker-compose.modular.yml; it stands for one stack."""

ENVIRONMENT_FOLDER = "docker/env"
ENVIRONMENT_FILES = ("common", "redis", "agents")
EXAMPLE_SUFFIX = "env.example"
OWN_SUFFIX = "env"

_DATABASE_LINE = re.compile(r"^REDIS_DB_\w+=.*\n?", re.MULTILINE)


class ExampleMissing(ConfigurationError):
    """A committed example of an environment file is gone."""


def image_variable(image_name: str) -> str:
    """The variable that names an image: `chat` → `AUTOBOT_CHAT_IMAGE`."""
    return f"AUTOBOT_{image_name.upper()}_IMAGE"


def compose_environment(
    settings: Settings,
    catalogs: Catalogs,
    images: Mapping[str, str],
    *,
    version: str,
    secrets_group: int,
) -> dict[str, str]:
    """Every variable of compose/*.yml. `images` maps the names of the bake targets to references."""
    environment = {
        "AUTOBOT_PROJECT": settings.project,
        "AUTOBOT_VERSION": version,
        "AUTOBOT_BIND_ADDRESS": settings.bind_address,
        "AUTOBOT_STOP_TIMEOUT": str(settings.stop_timeout),
        "AUTOBOT_REDIS_DATABASES": str(settings.redis_databases),
        "AUTOBOT_RESEARCH_ALLOW_PRIVATE": str(int(settings.research_allow_private)),
        "AUTOBOT_ENV_SUFFIX": OWN_SUFFIX,
        "AUTOBOT_SECRETS_DIR": str(settings.secrets_dir),
        "AUTOBOT_SECRETS_GID": str(secrets_group),
    }
    for name, agent in catalogs.agents.items():
        environment[f"AUTOBOT_{name.upper()}_PORT"] = str(agent.port + settings.port_offset)
    for name in (*catalogs.agents, "redis", "postgres"):
        environment[image_variable(name)] = images[name]
    return environment


def render_dotenv(environment: Mapping[str, str]) -> str:
    """The environment as a file that Compose reads; single quotes keep every character as it is."""
    head = "# Made by `inv config.init`, and kept up by `inv up`. Change config/stack.yaml instead.\n"
    return head + "".join(f"{name}={_quoted(value)}\n" for name, value in environment.items())


def dotenv_project(text: str) -> str | None:
    """The project that a .env file stands for; None when it names none."""
    found = re.search(r"^AUTOBOT_PROJECT='?([^'\n]*)'?$", text, re.MULTILINE)
    return found.group(1) if found else None


def render_redis_environment(catalogs: Catalogs) -> str:
    """The lines of redis.env that follow from the catalog: REDIS_DB_<NAME>=<number>, in its order."""
    return "".join(f"REDIS_DB_{name.upper()}={row.number}\n" for name, row in catalogs.databases.items())


def with_database_numbers(text: str, catalogs: Catalogs) -> str:
    """A redis.env with its REDIS_DB_ lines replaced by the catalog's, where the first of them stood."""
    first = _DATABASE_LINE.search(text)
    rest = _DATABASE_LINE.sub("", text)
    position = first.start() if first else len(text)
    return rest[:position] + render_redis_environment(catalogs) + rest[position:]


def own_environment_files(root: Path, catalogs: Catalogs) -> dict[Path, str]:
    """The environment files as they must be: what a person wrote, or the example; numbers from the catalog.

    Raises ExampleMissing where there is neither.
    """
    files: dict[Path, str] = {}
    for name in ENVIRONMENT_FILES:
        path = root / ENVIRONMENT_FOLDER / f"{name}.{OWN_SUFFIX}"
        example = root / ENVIRONMENT_FOLDER / f"{name}.{EXAMPLE_SUFFIX}"
        source = path if path.exists() else example
        try:
            text = source.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            shown = example.relative_to(root)
            hint = f"Restore it: git checkout -- {shown}"
            raise ExampleMissing(f"{shown} is missing", hint=hint) from error
        files[path] = with_database_numbers(text, catalogs) if name == "redis" else text
    return files


def write_private_file(path: Path, text: str) -> None:
    """Replace a file at one stroke, readable by its owner alone: a crash leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    complete = path.with_name(f".{path.name}.new-{os.getpid()}")
    descriptor = os.open(complete, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        complete.replace(path)
    finally:
        complete.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w./:@,+-]*", value) else "'" + value.replace("'", r"\'") + "'"
