"""A project's folder with one agent: a copy of this one that names knowledge alone.

Its images are the same as the checkout's: their tags follow from files that the copy has unchanged.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

AGENT = "knowledge"
SERVICE = f"{AGENT}-agent"
SERVICES = ("redis", "postgres", SERVICE)
IMAGES = ("redis", "postgres", AGENT)

FOLDERS = ("config", "compose", "docker", "scripts", "src")
FILES = ("pyproject.toml", "docker-compose.modular.yml", "docker-bake.hcl")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.env", "wheels")
"""What a person has of their own: environment files, and wheels, which only a build needs."""


def copy_project(root: Path, target: Path) -> Path:
    """Copy what verbs read and take the other agents out.

    Knowledge's volume counts as one that nothing rebuilds, so that archives have a volume too. Health is
    asked for every second: a start takes seconds less, and these tests start often.
    """
    for folder in FOLDERS:
        shutil.copytree(root / folder, target / folder, ignore=NOT_COPIED)
    for file in FILES:
        shutil.copy2(root / file, target / file)
    agents = target / "config/agents.yaml"
    agents.write_text(
        only_agent(agents.read_text(), AGENT).replace("rebuilt_from: PostgreSQL", "rebuilt_from: null")
    )
    compose = target / "compose/agents.yml"
    compose.write_text(yaml.safe_dump(only_service(yaml.safe_load(compose.read_text()), AGENT)))
    for name in ("base.yml", "patterns.yml"):
        compose = target / "compose" / name
        compose.write_text(re.sub(r"(?m)^( +interval): \d+s$", r"\1: 1s", compose.read_text()))
    return target


def only_agent(text: str, agent: str) -> str:
    """The catalog of agents as text, with one of them."""
    head, *rows = re.split(r"(?m)^(?=  \w+:$)", text)
    (row,) = (row for row in rows if row.startswith(f"  {agent}:"))
    return head + row


def only_service(document: dict[str, Any], agent: str) -> dict[str, Any]:
    """The compose file of agents, with one of them and what belongs to it."""
    return {
        "services": {f"{agent}-agent": document["services"][f"{agent}-agent"]},
        "volumes": {name: None for name in document["volumes"] if name.startswith(f"{agent}-")},
        "secrets": {name: body for name, body in document["secrets"].items() if f"_{agent}_" in name},
    }
