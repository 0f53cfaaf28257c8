"""What a row of a catalog is. Pure data; rules that span rows are in `rules.py`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME = r"^[a-z][a-z0-9_]{0,30}$"
KEY_PATTERN = r"^[^\s()\"'\x00-\x1f\x7f]+$"
"""What a line of Redis' ACL file can carry: no blanks, quotes or parentheses."""
RESERVED_USERS = ("default", "operator", "monitor", "backup", "migrate", "restore")
"""Users of Redis that the tool makes; no agent may be called like one."""
LAST_CATALOG_NUMBER = 15
"""Database numbers above this one are reserved for staging (restore, separation checks)."""


def _unique(values: object) -> object:
    if isinstance(values, list) and len({str(value) for value in values}) < len(values):
        raise ValueError("an entry appears twice")
    return values


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccessPattern(StrEnum):
    """How a database is used; the runtime library tunes its connections by it."""

    READ_HEAVY = "read-heavy"
    WRITE_HEAVY = "write-heavy"
    FREQUENT = "frequent"
    LONG_TERM = "long-term"


class AccessControl(StrEnum):
    """How narrow the rights of an agent in a database are."""

    STRICT = "strict"
    MODERATE = "moderate"
    BASIC = "basic"


class Frequency(StrEnum):
    """How often a tier is backed up."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    NEVER = "never"


class AccessRight(StrEnum):
    """What an agent may do with the keys of a database."""

    READ = "read"
    WRITE = "write"
    READ_WRITE = "read-write"

    @property
    def reads(self) -> bool:
        """Whether values may be read."""
        return self is not AccessRight.WRITE

    @property
    def writes(self) -> bool:
        """Whether values may be changed."""
        return self is not AccessRight.READ


class AgentLayer(StrEnum):
    """The shared image that an agent's own image stands on."""

    BASE = "base"
    AI = "ai"
    WEB = "web"


class Tier(_Row):
    """A class of backups."""

    frequency: Frequency
    retention_days: int = Field(ge=0, le=3650)


class SecurityLevel(_Row):
    """How a database's data are protected."""

    encryption: bool
    access_control: AccessControl


class Alerts(_Row):
    """Limits that raise an alert when they are exceeded."""

    memory_percent: int = Field(ge=1, le=100)
    connections: int = Field(ge=1)
    keys: int = Field(ge=1)


class Database(_Row):
    """One logical database of the Redis server."""

    number: int
    description: str = Field(min_length=1)
    components: tuple[str, ...]
    key_patterns: Annotated[
        tuple[Annotated[str, Field(pattern=KEY_PATTERN)], ...], BeforeValidator(_unique)
    ] = Field(min_length=1)
    access_patterns: Annotated[tuple[AccessPattern, ...], BeforeValidator(_unique)] = Field(min_length=1)
    tier: str
    security_level: str
    ttl_default: int | None = Field(ge=1)
    alerts: Alerts


class DatabaseCatalog(_Row):
    """`config/redis-databases.yaml`."""

    databases: dict[Annotated[str, Field(pattern=NAME)], Database] = Field(min_length=1)
    tiers: dict[str, Tier] = Field(min_length=1)
    security_levels: dict[str, SecurityLevel] = Field(min_length=1)


class Volume(_Row):
    """What an agent keeps on its data volume.

    `rebuilt_from` is what the agent makes it from again, at a start and with no hand; None: from nothing,
    so a backup takes it. `database` is the one whose data it belongs to: with the tier of that one it is
    backed up.
    """

    holds: str = Field(min_length=1)
    rebuilt_from: str | None = Field(min_length=1)
    database: str


class Agent(_Row):
    """One agent of the stack."""

    description: str = Field(min_length=1)
    port: int = Field(ge=1024, le=65535)
    layer: AgentLayer
    databases: dict[str, AccessRight]
    postgres: bool
    egress: bool
    volume: Volume | None
    capabilities: Annotated[tuple[str, ...], BeforeValidator(_unique)]


class AgentCatalog(_Row):
    """`config/agents.yaml`."""

    agents: dict[Annotated[str, Field(pattern=NAME)], Agent] = Field(min_length=1)
