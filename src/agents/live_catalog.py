"""The catalog as one agent has it now: which databases it is granted, and whether the files are in force."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from src.agents.checks import Check
from src.agents.settings import AgentSettings, Right, agents_file, load_agent_settings
from src.errors import ConfigurationInvalid, nearest_match_hint
from src.utils.catalog_watch import CatalogWatch
from src.utils.redis_database_manager import RedisDatabaseManager
from src.utils.redis_settings import read_yaml_mapping


class LiveCatalog:
    """Replaces grants and databases together when both files of a new version are right."""

    def __init__(self, settings: AgentSettings, databases: RedisDatabaseManager) -> None:
        self._databases = databases
        self.granted_databases: Mapping[str, Right] = settings.granted_databases
        files = (Path(databases.settings.source), agents_file())
        self._watch = CatalogWatch(files, self._adopt)
        self.look = self._watch.look
        self.watch = self._watch.watch

    @property
    def digest(self) -> str:
        """Of both files, as they are in force: equal digests mean that agents agree."""
        return self._watch.digest

    def check(self) -> Check:
        """For the health document: the digest, and a warning while another version lies on disk."""
        refusal = self._watch.refusal
        output = f"the catalog on disk is not in force: {refusal}" if refusal else ""
        return Check("warn" if refusal else "pass", "component", observed_value=self.digest, output=output)

    def _adopt(self) -> None:
        settings = self._databases.read_settings()
        refuse_wrong_grants(agents_file(), settings.databases)
        granted = load_agent_settings().granted_databases
        self._databases.adopt(settings)
        self.granted_databases = granted


def refuse_wrong_grants(path: Path, databases: Mapping[str, object]) -> None:
    """Raise `ConfigurationInvalid` if any agent has a right that there isn't, or on an unknown database.

    All agents are looked at, so that either all of them take a new version or none does.
    """
    rights = get_args(Right)
    for agent, row in read_yaml_mapping(path, "agents").items():
        granted = row.get("databases") if isinstance(row, dict) else None
        if not isinstance(granted, dict):
            raise ConfigurationInvalid(f"{path}: agent '{agent}' has no mapping 'databases'")
        for database, right in granted.items():
            if database not in databases:
                raise ConfigurationInvalid(
                    f"{path}: agent '{agent}' has a right on the unknown database '{database}'",
                    hint=nearest_match_hint(str(database), databases),
                )
            if right not in rights:
                raise ConfigurationInvalid(
                    f"{path}: agent '{agent}' has the right {right!r} on '{database}'",
                    hint=f"Use one of {', '.join(rights)}.",
                )
